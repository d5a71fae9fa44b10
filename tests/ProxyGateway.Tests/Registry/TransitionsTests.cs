using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

public sealed class TransitionsTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly Lifetimes Lifetimes = Some.Lifetimes;
    private static readonly ScopeImplications Implications = ScopeImplications.Default;

    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read", "operator.write");

    [Fact]
    public void A_rule_approves_exactly_what_is_asked_for()
    {
        DeviceRecord record = Transitions.AutoApprove(record: null, _claim, "loopback", Implications, Start, Lifetimes);

        record.Id.ShouldBe(_claim.Device);
        record.PublicKey.ShouldBe(_claim.PublicKey);
        record.CreatedAt.ShouldBe(Start);
        record.Client.ShouldBe(_claim.Client);
        record.Requests.ShouldBeEmpty();
        record.Refusals.ShouldBeNull();
        record.Grants.ShouldHaveSingleItem().Key.ShouldBe("operator".InDefault());
        record.Grants.Of("operator").ShouldBe(new Grant { Scopes = _claim.Scopes, ApprovedAt = Start, Rule = "loopback" });
    }

    [Fact]
    public void A_rule_adds_to_what_the_role_has_and_leaves_other_roles_alone()
    {
        DeviceRecord paired = Some.Paired(_claim, Start);

        DeviceRecord upgraded = Transitions.AutoApprove(paired, _claim.Asking("operator", "operator.admin"), "loopback", Implications, Start, Lifetimes);
        upgraded = Transitions.AutoApprove(upgraded, _claim.Asking("node", "camera"), "loopback", Implications, Start, Lifetimes);

        upgraded.ScopesOf("operator").ShouldBe(ScopeSet.Of("operator.admin", "operator.read", "operator.write"));
        upgraded.ScopesOf("node").ShouldBe(ScopeSet.Of("camera"));
    }

    [Fact]
    public void An_ask_opens_a_request_for_what_is_asked()
    {
        Ask ask = Transitions.Ask(record: null, _claim, PairingReason.NotPaired, LocalityKind.Network, "192.0.2.1", Start, Lifetimes);

        ask.Outcome.ShouldBe(AskOutcome.Opened);
        ask.Next.IsPaired.ShouldBeFalse();
        PairingRequest request = ask.Next.Requests.ShouldHaveSingleItem();
        request.ShouldBe(ask.Request);
        request.ShouldBe(new PairingRequest
        {
            Id = request.Id,
            DeviceId = _claim.Device,
            Role = "operator",
            Scopes = _claim.Scopes,
            Reason = PairingReason.NotPaired,
            Client = _claim.Client,
            Address = "192.0.2.1",
            Locality = LocalityKind.Network,
            CreatedAt = Start,
            ExpiresAt = Start + Lifetimes.Request,
        });
        request.Id.ToString().Length.ShouldBeLessThanOrEqualTo(32);
        request.Id.CreatedAt.ShouldBe(Start);
    }

    [Fact]
    public void The_same_ask_is_the_same_request_and_a_different_one_is_beside_it()
    {
        Ask first = Ask(record: null, _claim, Start);

        Ask(first.Next, _claim.Asking("operator", "operator.write", "operator.read", "operator.read"), Start).Request.ShouldBe(first.Request);
        foreach (DeviceClaim other in new[] { _claim.Asking("operator", "operator.read"), _claim.Asking("operator"), _claim.Asking("node", [.. _claim.Scopes]) })
        {
            Ask beside = Ask(first.Next, other, Start);
            beside.Outcome.ShouldBe(AskOutcome.Opened);
            beside.Next.Requests.ShouldBe([first.Request!, beside.Request!]);
        }
    }

    [Fact]
    public void At_most_eight_requests_of_a_device_are_open()
    {
        DeviceRecord? record = null;
        for (int i = 0; i < 8; i++)
        {
            record = Ask(record, _claim.Asking($"role{i}"), Start).Next;
        }

        Ask ninth = Ask(record, _claim.Asking("role8"), Start);
        ninth.Outcome.ShouldBe(AskOutcome.TooMany);
        ninth.Request.ShouldBeNull();
        Ask(record, _claim.Asking("role7"), Start).Outcome.ShouldBe(AskOutcome.Same);

        DateTimeOffset later = Start + Lifetimes.Request;
        Ask(record, _claim.Asking("role8"), later).Outcome.ShouldBe(AskOutcome.Opened, "those that have expired are not open");
    }

    [Fact]
    public void Asking_again_moves_the_expiry_up_to_an_hour_after_the_first_ask()
    {
        Ask ask = Ask(record: null, _claim, Start);
        RequestId id = ask.Request!.Id;
        for (DateTimeOffset now = Start; now < Start.AddHours(1); now += TimeSpan.FromMinutes(4))
        {
            ask = Ask(ask.Next, _claim, now);
            ask.Request!.Id.ShouldBe(id);
            ask.Request.ExpiresAt.ShouldBeGreaterThan(now);
            ask.Request.ExpiresAt.ShouldBeLessThanOrEqualTo(Start.AddHours(1));
        }

        Ask afterwards = Ask(ask.Next, _claim, Start.AddHours(1));
        afterwards.Outcome.ShouldBe(AskOutcome.Opened);
        afterwards.Request!.Id.ShouldNotBe(id);
    }

    [Theory]
    [InlineData(0, nameof(AskOutcome.Same))]
    [InlineData(29, nameof(AskOutcome.Same))]
    [InlineData(30, nameof(AskOutcome.Renewed))]
    [InlineData(299, nameof(AskOutcome.Renewed))]
    [InlineData(300, nameof(AskOutcome.Opened))]
    public void A_reconnect_loop_does_not_write_every_time(int seconds, string expected)
    {
        Ask first = Ask(record: null, _claim, Start);

        Ask again = Ask(first.Next, _claim, Start.AddSeconds(seconds));

        again.Outcome.ToString().ShouldBe(expected);
        if (again.Outcome == AskOutcome.Renewed)
        {
            again.Request.ShouldBe(first.Request! with { ExpiresAt = Start.AddSeconds(seconds) + Lifetimes.Request });
            again.Next.Version.ShouldBe(first.Next.Version);
            again.Next.ShouldBe(first.Next with { Requests = again.Next.Requests });
        }
    }

    [Fact]
    public void A_lifetime_longer_than_an_hour_is_not_cut_short_by_asking_again()
    {
        var day = new Lifetimes(TimeSpan.FromDays(1), TimeSpan.FromDays(90));
        Ask first = Transitions.Ask(record: null, _claim, PairingReason.NotPaired, LocalityKind.Remote, address: null, Start, day);

        Ask again = Transitions.Ask(first.Next, _claim, PairingReason.NotPaired, LocalityKind.Remote, address: null, Start.AddHours(3), day);

        again.Outcome.ShouldBe(AskOutcome.Same);
        again.Request!.ExpiresAt.ShouldBe(Start.AddDays(1));
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("rule:node", true)]
    [InlineData("rule:node rule:operator", true)]
    [InlineData("operator:node", false)]
    [InlineData("rule:node operator:operator", false)]
    [InlineData("rule:node operator:node", false)]
    [InlineData("rule:node operator:operator:ended", true)]
    public void A_request_says_whether_only_rules_had_paired_the_device(string approvals, bool byRulesAlone)
    {
        DeviceRecord? record = null;
        foreach (string[] approval in approvals.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(a => a.Split(':')))
        {
            DeviceClaim claim = _claim.Asking(approval[1]);
            if (approval[0] == "rule")
            {
                record = Transitions.AutoApprove(record, claim, "lan", Implications, Start, Lifetimes);
                continue;
            }

            Ask approved = Ask(record, claim.Asking(approval[1], "seen"), Start);
            DateTimeOffset? until = approval.Length > 2 ? Start.AddMinutes(1) : null;
            record = Transitions.Approve(
                approved.Next, approved.Request!.Id, new GrantTerms(Scopes: null, until), Some.Operator, Implications, Start, Lifetimes).Record;
        }

        Ask ask = Ask(record, _claim.Asking("admin"), Start.AddMinutes(2));

        ask.Request!.ByRulesAlone.ShouldBe(byRulesAlone);
    }

    [Fact]
    public void An_approval_changes_nothing_in_what_an_open_request_says_of_the_device()
    {
        DeviceRecord paired = Transitions.AutoApprove(record: null, _claim.Asking("node"), "lan", Implications, Start, Lifetimes);
        Ask open = Ask(paired, _claim.Asking("admin"), Start);
        Ask other = Ask(open.Next, _claim, Start);
        DeviceRecord approved = Approve(other.Next, other.Request!.Id, scopes: null, Start).Record;

        Ask renewed = Ask(approved, _claim.Asking("admin"), Start.AddMinutes(1));

        (renewed.Outcome, renewed.Request!.Id, renewed.Request.ByRulesAlone).ShouldBe((AskOutcome.Renewed, open.Request!.Id, true));
        Ask(renewed.Next, _claim.Asking("admin", "more"), Start.AddMinutes(1)).Request!.ByRulesAlone.ShouldBeFalse("an operator knows the device now");
    }

    [Fact]
    public void An_approval_grants_what_was_asked()
    {
        Ask ask = Ask(record: null, _claim, Start);

        Decision decision = Approve(ask.Next, ask.Request!.Id, scopes: null, Start.AddMinutes(1));

        decision.Outcome.ShouldBe(DecisionOutcome.Done);
        decision.Record.Grants.Of("operator").ShouldBe(new Grant { Scopes = _claim.Scopes, ApprovedAt = Start.AddMinutes(1), ApprovedBy = "ops" });
        decision.Request.ShouldBe(ask.Request with
        {
            Status = PairingRequestStatus.Approved,
            GrantedScopes = _claim.Scopes,
            ResolvedBy = "ops",
            ResolvedAt = Start.AddMinutes(1),
        });
        decision.Record.FindRequest(ask.Request.Id).ShouldBe(decision.Request);
        Transitions.ExpiresAt(decision.Record, Lifetimes).ShouldBeNull();
    }

    [Theory]
    [InlineData("operator.read", DecisionOutcome.Done)]
    [InlineData("operator.read operator.write", DecisionOutcome.Done)]
    [InlineData("", DecisionOutcome.Done)]
    [InlineData("operator.admin", DecisionOutcome.WiderThanAsked)]
    [InlineData("operator.read operator.pairing", DecisionOutcome.WiderThanAsked)]
    public void An_operator_may_name_fewer_scopes_and_no_others(string scopes, DecisionOutcome expected)
    {
        Ask ask = Ask(record: null, _claim, Start);

        Decision decision = Approve(ask.Next, ask.Request!.Id, Scopes(scopes), Start);

        decision.Outcome.ShouldBe(expected);
        decision.Record.ScopesOf("operator").ShouldBe(expected == DecisionOutcome.Done ? Scopes(scopes) : ScopeSet.Empty);
    }

    [Fact]
    public void Narrowing_is_compared_by_coverage()
    {
        Ask ask = Ask(record: null, _claim.Asking("operator", "operator.admin"), Start);

        Approve(ask.Next, ask.Request!.Id, Scopes("operator.read"), Start).Record.ScopesOf("operator").ShouldBe(Scopes("operator.read"));
    }

    [Theory]
    [InlineData("operator", "operator.write", DecisionOutcome.Done)]
    [InlineData("operator", "operator.admin", DecisionOutcome.Done)]
    [InlineData("operator", "operator.read", DecisionOutcome.AboveCeiling)]
    [InlineData("node", "operator.write", DecisionOutcome.AboveCeiling)]
    public void An_approval_above_the_operators_ceiling_is_refused(string role, string ceiling, DecisionOutcome expected)
    {
        Ask ask = Ask(record: null, _claim, Start);
        Operator by = Ceiling(role, ceiling);

        Decision decision = Transitions.Approve(ask.Next, ask.Request!.Id, new GrantTerms(), by, Implications, Start, Lifetimes);

        decision.Outcome.ShouldBe(expected);
        decision.Record.IsPaired.ShouldBe(expected == DecisionOutcome.Done);
    }

    [Fact]
    public void A_grant_above_the_operators_ceiling_is_refused_and_revoking_is_always_allowed()
    {
        DeviceRecord paired = Some.Paired(_claim, Start);
        Operator by = Ceiling("operator", "operator.read");

        Transitions.SetGrant(paired, "operator".InDefault(), new GrantTerms(Scopes("operator.write")), by, Implications, Start, Lifetimes)
            .ShouldBe(new Decision(DecisionOutcome.AboveCeiling, paired, Request: null));
        Transitions.SetGrant(paired, "node".InDefault(), new GrantTerms(ScopeSet.Empty), by, Implications, Start, Lifetimes).Outcome.ShouldBe(DecisionOutcome.AboveCeiling);
        Transitions.SetGrant(paired, "operator".InDefault(), new GrantTerms(Scopes("operator.read")), by, Implications, Start, Lifetimes)
            .Record.ScopesOf("operator").ShouldBe(Scopes("operator.read"));
        Transitions.SetGrant(paired, "operator".InDefault(), terms: null, by, Implications, Start, Lifetimes).Record.Grants.ShouldBeEmpty();
    }

    [Fact]
    public void Only_the_same_decision_can_be_repeated()
    {
        Ask ask = Ask(record: null, _claim, Start);
        RequestId id = ask.Request!.Id;

        DeviceRecord approved = Approve(ask.Next, id, scopes: null, Start).Record;
        Approve(approved, id, scopes: null, Start).Outcome.ShouldBe(DecisionOutcome.AlreadyDone);
        Approve(approved, id, _claim.Scopes, Start).Outcome.ShouldBe(DecisionOutcome.AlreadyDone);
        Approve(approved, id, Scopes("operator.read"), Start).Outcome.ShouldBe(DecisionOutcome.AlreadyResolved);
        Reject(approved, id, Start).Outcome.ShouldBe(DecisionOutcome.AlreadyResolved);

        DeviceRecord rejected = Reject(ask.Next, id, Start).Record;
        Reject(rejected, id, Start).Outcome.ShouldBe(DecisionOutcome.AlreadyDone);
        Approve(rejected, id, scopes: null, Start).Outcome.ShouldBe(DecisionOutcome.AlreadyResolved);

        RequestId unknown = RequestId.New(Start);
        Approve(ask.Next, unknown, scopes: null, Start).Outcome.ShouldBe(DecisionOutcome.NotFound);
        Reject(ask.Next, unknown, Start).Outcome.ShouldBe(DecisionOutcome.NotFound);
    }

    [Fact]
    public void A_late_decision_differs_from_an_unknown_request_for_the_requests_lifetime()
    {
        Ask ask = Ask(record: null, _claim, Start);
        RequestId id = ask.Request!.Id;

        Approve(ask.Next, id, scopes: null, Start + Lifetimes.Request).Request!.Status.ShouldBe(PairingRequestStatus.Expired);
        Approve(ask.Next, id, scopes: null, Start + Lifetimes.Request).Outcome.ShouldBe(DecisionOutcome.AlreadyResolved);
        Approve(ask.Next, id, scopes: null, Start + (2 * Lifetimes.Request)).Outcome.ShouldBe(DecisionOutcome.NotFound);
    }

    [Fact]
    public void A_rejection_answers_the_same_ask_while_it_is_readable()
    {
        Ask ask = Ask(record: null, _claim, Start);
        DeviceRecord rejected = Reject(ask.Next, ask.Request!.Id, Start).Record;

        Ask again = Ask(rejected, _claim, Start + Lifetimes.Request - TimeSpan.FromTicks(1));
        again.Outcome.ShouldBe(AskOutcome.Rejected);
        again.Request!.Id.ShouldBe(ask.Request.Id);
        Ask(rejected, _claim.Asking("node"), Start).Outcome.ShouldBe(AskOutcome.Opened);
        Ask(rejected, _claim, Start + Lifetimes.Request).Outcome.ShouldBe(AskOutcome.Opened);
    }

    [Fact]
    public void A_grant_resolves_the_requests_that_it_covers()
    {
        Ask wide = Ask(record: null, _claim, Start);
        Ask narrow = Ask(wide.Next, _claim.Asking("operator", "operator.read"), Start);
        Ask other = Ask(narrow.Next, _claim.Asking("node"), Start);
        Ask none = Ask(other.Next, _claim.Asking("operator"), Start);

        DeviceRecord approved = Approve(none.Next, wide.Request!.Id, scopes: null, Start).Record;
        DeviceRecord automatic = Transitions.AutoApprove(none.Next, _claim, "rule", Implications, Start, Lifetimes);
        DeviceRecord set = Transitions.SetGrant(none.Next with { Legacy = true }, "operator".InDefault(), new GrantTerms(_claim.Scopes), Some.Operator, Implications, Start, Lifetimes).Record;

        foreach (DeviceRecord record in new[] { approved, automatic, set })
        {
            record.FindRequest(narrow.Request!.Id)!.Status.ShouldBe(PairingRequestStatus.Covered);
            record.FindRequest(none.Request!.Id)!.Status.ShouldBe(PairingRequestStatus.Covered);
            record.FindRequest(other.Request!.Id).ShouldBe(other.Request);
        }
    }

    // The device asks as node and as operator; the node's request is approved, and with it what the first column says.
    [Theory]
    [InlineData("operator: operator.read operator.write", "operator: operator.read operator.write; node: camera", "covered", "")]
    [InlineData("operator: operator.admin", "operator: operator.admin; node: camera", "covered", "")]
    [InlineData("operator: operator.read", "operator: operator.read; node: camera", "open", "operator")]
    [InlineData("operator:", "operator:; node: camera", "open", "operator")]
    [InlineData("node: screen", "node: camera screen", "open", "")]
    [InlineData("watcher: look", "node: camera; watcher: look", "open", "")]
    [InlineData("", "node: camera", "open", "")]
    public void An_operator_grants_other_roles_together_with_a_request(string also, string granted, string otherRequest, string marked)
    {
        Ask other = Ask(record: null, _claim, Start);
        Ask node = Ask(other.Next, _claim.Asking("node", "camera"), Start);

        Decision decision = ApproveAlso(node, also);

        decision.Outcome.ShouldBe(DecisionOutcome.Done);
        decision.Request!.GrantedScopes.ShouldBe(Scopes("camera"), "the request says what was asked of it");
        Granted(decision.Record).ShouldBe(granted.Split("; ").Order());
        decision.Record.Grants.Values.ShouldAllBe(grant => grant.ApprovedBy == "ops" && grant.Parts == null);
        decision.Record.FindRequest(other.Request!.Id)!.Status.ToString().ToLowerInvariant().ShouldBe(otherRequest);
        Marked(decision.Record).ShouldBe(marked, "what was asked for and not granted no rule approves");
        ApproveAlso(node with { Next = decision.Record }, also).Outcome.ShouldBe(DecisionOutcome.AlreadyDone);
        ApproveAlso(node with { Next = decision.Record }, "other: more").Outcome.ShouldBe(DecisionOutcome.AlreadyResolved);
    }

    // What is approved together with a request; what is set after that; and what the same approval of the same request, with the same end, then is.
    [Theory]
    [InlineData("watcher: look", null, null, DecisionOutcome.AlreadyDone)]
    [InlineData("watcher: look", "watcher", "look more", DecisionOutcome.AlreadyResolved)] // without an end
    [InlineData("watcher:", "watcher", null, DecisionOutcome.AlreadyResolved)]
    [InlineData("watcher: look", "watcher", null, DecisionOutcome.AlreadyResolved)]
    [InlineData("watcher: look", "node", null, DecisionOutcome.AlreadyResolved)]
    public void An_approval_is_repeated_only_while_all_of_it_holds(string also, string? role, string? set, DecisionOutcome expected)
    {
        DateTimeOffset until = Start.AddHours(2);
        Ask node = Ask(record: null, _claim.Asking("node", "camera"), Start);
        DeviceRecord record = ApproveAlso(node, also, until).Record;

        if (role is not null)
            record = SetGrant(record, role, set);

        ApproveAlso(node with { Next = record }, also, until).Outcome.ShouldBe(expected);
    }

    [Fact]
    public void An_approval_without_an_end_is_not_repeated_for_a_role_without_scopes_that_is_gone()
    {
        Ask node = Ask(record: null, _claim.Asking("node", "camera"), Start);
        DeviceRecord approved = ApproveAlso(node, "watcher:").Record;

        ApproveAlso(node with { Next = SetGrant(approved, "watcher", scopes: null) }, "watcher:").Outcome.ShouldBe(DecisionOutcome.AlreadyResolved);
    }

    [Theory]
    [InlineData("operator: operator.read", DecisionOutcome.Done)]
    [InlineData("operator: operator.write", DecisionOutcome.AboveCeiling)]
    [InlineData("node: screen", DecisionOutcome.AboveCeiling)]
    [InlineData("watcher:", DecisionOutcome.AboveCeiling)]
    public void Nobody_grants_above_their_ceiling_together_with_a_request(string also, DecisionOutcome expected)
    {
        Ask node = Ask(record: null, _claim.Asking("node", "camera"), Start);
        Operator by = Ceiling("operator", "operator.read");
        by = by with { UpTo = by.UpTo!.Add("node", Scopes("camera")) };

        Decision decision = ApproveAlso(node, also, by: by);

        decision.Outcome.ShouldBe(expected);
        decision.Record.IsPaired.ShouldBe(expected == DecisionOutcome.Done, "all of it is granted, or nothing");
    }

    [Fact]
    public void Grants_that_are_approved_together_end_together_and_add_to_existing_ones()
    {
        DateTimeOffset until = Start.AddHours(2);
        DeviceRecord held = Some.Paired(_claim.Asking("operator", "operator.read"), Start);
        Ask node = Ask(held, _claim.Asking("node", "camera"), Start);

        ApproveAlso(node, "operator: operator.write", until).Outcome.ShouldBe(DecisionOutcome.HeldWithoutEnd, "what it holds without end would end");
        Decision ending = ApproveAlso(node, "watcher: look", until);
        Decision adding = ApproveAlso(node, "operator: operator.pairing");

        ending.Record.Grants.Of("watcher").Until.ShouldBe(until);
        ending.Record.Grants.Of("node").Until.ShouldBe(until);
        adding.Record.ScopesOf("operator").ShouldBe(Scopes("operator.pairing operator.read"));

        Ask again = Ask(ending.Record, _claim.Asking("node", "screen"), Start);
        Operator low = Ceiling("node", "screen");
        low = low with { UpTo = low.UpTo!.Add("watcher", ScopeSet.Empty) };
        ApproveAlso(again, "watcher:", until, low).Outcome.ShouldBe(DecisionOutcome.Done);
        ApproveAlso(again, "watcher:", until.AddHours(1), low).Outcome.ShouldBe(DecisionOutcome.AboveCeiling, "all that is held would go on for longer");
    }

    [Fact]
    public void An_operators_refusal_marks_the_role_that_it_concerns()
    {
        DeviceRecord paired = Some.Paired(_claim, Start);
        Ask node = Ask(paired, _claim.Asking("node", "camera", "screen"), Start);

        Marked(Reject(node.Next, node.Request!.Id, Start).Record).ShouldBe("node");
        Marked(Approve(node.Next, node.Request.Id, Scopes("camera"), Start).Record).ShouldBe("node");
        Marked(Approve(node.Next, node.Request.Id, scopes: null, Start).Record).ShouldBe("");
        Marked(SetGrant(paired, "operator", "operator.read")).ShouldBe("operator");
        Marked(SetGrant(paired, "operator", "operator.write")).ShouldBe("", "writing covers reading, so nothing was lost");
        Marked(SetGrant(paired, "operator", "operator.admin")).ShouldBe("");
        Marked(SetGrant(paired, "operator", scopes: null)).ShouldBe("operator");
        Marked(Transitions.Remove(paired, Some.Operator, Start, Lifetimes)).ShouldBe("operator node");
    }

    [Fact]
    public void Only_an_operators_full_approval_lifts_a_mark()
    {
        DeviceRecord removed = Transitions.Remove(Some.Paired(_claim, Start), Some.Operator, Start, Lifetimes);
        Ask ask = Ask(removed, _claim, Start);

        Marked(Approve(ask.Next, ask.Request!.Id, Scopes("operator.read"), Start).Record).ShouldBe("operator node");
        DeviceRecord approved = Approve(ask.Next, ask.Request.Id, scopes: null, Start).Record;
        Marked(approved).ShouldBe("node", "the removal still stands for other roles");
        Marked(SetGrant(approved, "operator", scopes: null)).ShouldBe("operator node");
    }

    [Fact]
    public void A_removal_leaves_nothing_but_the_mark()
    {
        Ask open = Ask(Some.Paired(_claim, Start) with { Legacy = true, LastSeenAt = Start }, _claim.Asking("node"), Start);

        DeviceRecord removed = Transitions.Remove(open.Next, Some.Operator, Start.AddMinutes(1), Lifetimes);

        removed.IsPaired.ShouldBeFalse();
        removed.LastSeenAt.ShouldBeNull();
        removed.Refusals.ShouldBe(new RefusalMarks { At = Start.AddMinutes(1), WholeDevice = true });
        removed.Requests.ShouldHaveSingleItem().ShouldBe(open.Request! with
        {
            Status = PairingRequestStatus.Expired,
            ResolvedBy = "ops",
            ResolvedAt = Start.AddMinutes(1),
        });
        Transitions.ExpiresAt(removed, Lifetimes).ShouldBe(Start.AddMinutes(1) + Lifetimes.Removed);
    }

    [Fact]
    public void A_device_without_approval_is_forgotten_once_its_requests_are_no_longer_readable()
    {
        Ask ask = Ask(record: null, _claim, Start);
        Transitions.ExpiresAt(ask.Next, Lifetimes).ShouldBe(Start + (2 * Lifetimes.Request));

        Decision rejected = Reject(ask.Next, ask.Request!.Id, Start);
        Transitions.ExpiresAt(rejected.Record, Lifetimes).ShouldBe(Start + Lifetimes.Removed);
    }

    [Fact]
    public void A_legacy_grant_without_scopes_becomes_one_with_scopes_when_it_is_approved()
    {
        DeviceRecord legacy = Some.Paired(_claim, Start) with { Legacy = true };
        legacy = legacy with { Grants = legacy.Grants.SetItem("operator", legacy.Grants.Of("operator") with { Scopes = null }) };

        Transitions.AutoApprove(legacy, _claim, "loopback", Implications, Start, Lifetimes).Grants.Of("operator").Scopes.ShouldBe(_claim.Scopes);
        Ask ask = Ask(legacy, _claim.Asking("operator"), Start);
        Approve(ask.Next, ask.Request!.Id, scopes: null, Start).Record.Grants.Of("operator").Scopes.ShouldBe(ScopeSet.Empty);
    }

    private static Ask Ask(DeviceRecord? record, DeviceClaim claim, DateTimeOffset now) =>
        Transitions.Ask(record, claim, PairingReason.NotPaired, LocalityKind.Remote, address: null, now, Lifetimes);

    private static Decision Approve(DeviceRecord record, RequestId id, ScopeSet? scopes, DateTimeOffset now) =>
        Transitions.Approve(record, id, new GrantTerms(scopes), Some.Operator, Implications, now, Lifetimes);

    private static Decision ApproveAlso(Ask ask, string also, DateTimeOffset? until = null, Operator? by = null)
    {
        IEnumerable<string[]> grants = also.Split("; ", StringSplitOptions.RemoveEmptyEntries).Select(grant => grant.Split(':'));
        var terms = new GrantTerms(Until: until) { Also = grants.ToImmutableSortedDictionary(g => g[0], g => Scopes(g[1]), StringComparer.Ordinal) };
        return Transitions.Approve(ask.Next, ask.Request!.Id, terms, by ?? Some.Operator, Implications, Start, Lifetimes);
    }

    private static IEnumerable<string> Granted(DeviceRecord record) =>
        record.Grants.Select(g => g.Value.Scopes!.Count == 0 ? $"{g.Key}:" : $"{g.Key}: {g.Value.Scopes}").Order();

    private static Decision Reject(DeviceRecord record, RequestId id, DateTimeOffset now) =>
        Transitions.Reject(record, id, Some.Operator, now, Lifetimes);

    private static DeviceRecord SetGrant(DeviceRecord record, string role, string? scopes) =>
        Transitions.SetGrant(record, role.InDefault(), scopes is null ? null : new GrantTerms(Scopes(scopes)), Some.Operator, Implications, Start, Lifetimes).Record;

    private static Operator Ceiling(string role, string scopes) =>
        new("ops", ImmutableDictionary<string, ScopeSet>.Empty.Add(role, Scopes(scopes)));

    private static ScopeSet Scopes(string scopes) => ScopeSet.Of(scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static string Marked(DeviceRecord record) =>
        string.Join(' ', new[] { "operator", "node" }.Where(role => record.Refusals?.Covers(role) == true));
}
