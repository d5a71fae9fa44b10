using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

/// <summary>The edges of each transition: what just is enough, and what just is not; and what a change leaves as it was.</summary>
public sealed class TransitionsTableTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Now = Start.AddDays(30);
    private static readonly TimeSpan Tick = TimeSpan.FromTicks(1);
    private static readonly Lifetimes Lifetimes = Some.Lifetimes;
    private static readonly ScopeImplications Implications = ScopeImplications.Default;

    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");

    // ---- asking

    [Fact]
    public void Of_two_requests_for_the_same_the_newer_one_counts()
    {
        Ask first = Ask(record: null, _claim);
        DeviceRecord rejected = Transitions.Reject(first.Next, first.Request!.Id, Some.Operator, Start, Lifetimes).Record;
        PairingRequest open = first.Request with { Id = RequestId.New(Start) };

        Ask again = Ask(rejected with { Requests = rejected.Requests.Add(open) }, _claim);

        (again.Outcome, again.Request!.Id).ShouldBe((AskOutcome.Same, open.Id));
    }

    [Theory]
    [InlineData(0, nameof(AskOutcome.Opened))]
    [InlineData(1, nameof(AskOutcome.TooMany))]
    public void The_bound_of_a_devices_requests_in_bytes_is_exact(int beyond, string expected)
    {
        int overhead = DeviceDocument.SizeOfRequests(Ask(record: null, Named(1)).Next) - 1;

        Ask ask = Ask(record: null, Named(Transitions.MaxRequestBytesPerDevice - overhead + beyond));

        ask.Outcome.ToString().ShouldBe(expected);
        (ask.Request is null, ask.Next.Requests.IsEmpty).ShouldBe((beyond == 1, beyond == 1));

        DeviceClaim Named(int length) => _claim with { Client = new ClientDescription(Id: new string('x', length)) };
    }

    [Fact]
    public void A_device_that_asks_has_its_key_and_description_taken_anew_and_its_age_kept()
    {
        DeviceRecord damaged = Transitions.RemoveDamaged(_claim.Device, Some.Operator, Start, Lifetimes);
        (damaged.Id, damaged.PublicKey, damaged.CreatedAt, damaged.Refusals!.WholeDevice).ShouldBe((_claim.Device, "", Start, true));

        DeviceRecord asked = Transitions.Ask(damaged, _claim, PairingReason.NotPaired, LocalityKind.Remote, address: null, Now, Lifetimes).Next;

        (asked.PublicKey, asked.Client, asked.CreatedAt).ShouldBe((_claim.PublicKey, _claim.Client, Start));
    }

    // ---- approving

    [Fact]
    public void An_operator_whose_ceiling_is_below_a_grant_may_leave_its_end()
    {
        DeviceRecord ending = With(Some.Paired(_claim, Start), g => g with { Scopes = ScopeSet.Of("operator.admin"), Until = Start.AddHours(1) });
        Ask ask = Ask(ending, _claim.Asking("operator", "camera"));
        Operator limited = Limited("operator", "camera");

        Approve(ask, new GrantTerms(Until: Start.AddHours(1)), limited).Outcome.ShouldBe(DecisionOutcome.Done);
        Approve(ask, new GrantTerms(Until: Start.AddHours(1) + Tick), limited).Outcome.ShouldBe(DecisionOutcome.AboveCeiling);
    }

    [Fact]
    public void An_approval_makes_a_legacy_device_one_like_any_other_and_keeps_the_rest()
    {
        DeviceRecord legacy = Some.Paired(_claim, Start) with { Legacy = true, Label = "Anna's" };
        Ask ask = Ask(legacy, _claim.Asking("node"));

        DeviceRecord approved = Approve(ask, new GrantTerms()).Record;

        (approved.Legacy, approved.Label, approved.Grants.Count).ShouldBe((false, "Anna's", 2));
        approved.Grants.Of("operator").ShouldBe(legacy.Grants.Of("operator"));
    }

    [Fact]
    public void A_request_that_is_covered_or_rejected_says_when_and_by_whom()
    {
        Ask wide = Ask(record: null, _claim.Asking("operator", "operator.write"));
        Ask narrow = Ask(wide.Next, _claim);

        Approve(narrow with { Request = wide.Request }, new GrantTerms()).Record.FindRequest(narrow.Request!.Id)
            .ShouldBe(narrow.Request with { Status = PairingRequestStatus.Covered, ResolvedAt = Start });
        Transitions.Reject(narrow.Next, narrow.Request.Id, Some.Operator, Start, Lifetimes).Request
            .ShouldBe(narrow.Request with { Status = PairingRequestStatus.Rejected, ResolvedBy = "ops", ResolvedAt = Start });
    }

    [Fact]
    public void A_rejected_request_stays_rejected_though_a_grant_covers_it()
    {
        Ask ask = Ask(record: null, _claim);
        DeviceRecord rejected = Transitions.Reject(ask.Next, ask.Request!.Id, Some.Operator, Start, Lifetimes).Record;

        DeviceRecord approved = Transitions.AutoApprove(rejected, _claim, "loopback", Implications, Start, Lifetimes);

        approved.FindRequest(ask.Request.Id)!.Status.ShouldBe(PairingRequestStatus.Rejected);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_idle_device_loses_its_label_once_nothing_is_approved_for_it(bool isPairedElsewhere)
    {
        DeviceClaim atWork = _claim with { Audience = Audience.Parse("work") };
        DeviceRecord? before = isPairedElsewhere ? Some.Paired(_claim, Start) : null;
        DeviceRecord record = Transitions.AutoApprove(before, atWork, "lan", Implications, Start, Lifetimes) with { Label = "Anna's" };

        DeviceRecord forgotten = Transitions.ForgetIdle(record, Now, Now, Lifetimes).ShouldNotBeNull();

        (forgotten.Grants.Count, forgotten.Label).ShouldBe(isPairedElsewhere ? (1, "Anna's") : (0, null));
    }

    // A record that is another object counts as a change: it would be written, and announced to every gateway.
    [Theory]
    [InlineData("a", true)]
    [InlineData("b", false)]
    public void A_record_whose_requests_no_grant_covers_stays_the_same(string asked, bool isCovered)
    {
        DeviceRecord record = Ask(Some.Paired(Some.Claim("operator", "a"), Start), Some.Claim("operator", "b")).Next;
        record = record with { Requests = [record.Requests[0] with { Scopes = ScopeSet.Of(asked) }] };

        DeviceRecord after = Transitions.CoverRequests(record, Implications, Start);

        ReferenceEquals(after, record).ShouldBe(!isCovered);
        after.Requests[0].Status.ShouldBe(isCovered ? PairingRequestStatus.Covered : PairingRequestStatus.Open);
    }

    // ---- setting a grant

    // what the device holds, which role is set to what (null: taken away), and what becomes of that
    [Theory]
    [InlineData(false, "operator", "a", DecisionOutcome.NotFound)]
    [InlineData(false, "operator", null, DecisionOutcome.NotFound)]
    [InlineData(true, "operator", "a", DecisionOutcome.Done)]
    [InlineData(true, "operator", null, DecisionOutcome.Done)]
    [InlineData(true, "node", "a", DecisionOutcome.Done)]
    [InlineData(true, "node", null, DecisionOutcome.NotFound)]
    public void A_grant_is_set_for_a_device_that_is_paired_and_taken_where_it_is_held(bool isPaired, string role, string? scopes, DecisionOutcome expected)
    {
        DeviceRecord record = isPaired ? Some.Paired(_claim, Start) : Ask(record: null, _claim).Next;

        Decision decision = SetGrant(record, role, scopes is null ? null : new GrantTerms(ScopeSet.Of(scopes)));

        decision.Outcome.ShouldBe(expected);
        if (expected == DecisionOutcome.NotFound)
            decision.Record.ShouldBeSameAs(record);
    }

    [Fact]
    public void A_grant_that_is_set_is_the_operators_whole()
    {
        DeviceRecord legacy = Transitions.AutoApprove(record: null, _claim, "loopback", Implications, Start, Lifetimes) with { Legacy = true };

        DeviceRecord set = SetGrant(legacy, "operator", new GrantTerms()).Record;

        set.Grants.Of("operator").ShouldBe(new Grant { Scopes = ScopeSet.Empty, ApprovedAt = Start, ApprovedBy = "ops" }, "no scopes are named, so none are granted");
        set.Legacy.ShouldBeFalse();
        set.Refusals!.Covers("operator").ShouldBeTrue();
    }

    [Fact]
    public void Marks_of_before_stay_where_nothing_is_taken()
    {
        DeviceRecord marked = Some.Paired(_claim, Start) with { Refusals = new RefusalMarks { At = Start, Roles = DefaultAudience.Roles("node") } };

        SetGrant(marked, "operator", new GrantTerms(ScopeSet.Of("operator.write"))).Record.Refusals.ShouldBe(marked.Refusals);
    }

    // ---- labels, blocks, removals

    [Fact]
    public void A_change_leaves_what_it_is_not_about_as_it_was()
    {
        DeviceRecord record = Ask(Some.Paired(_claim, Start), _claim.Asking("node")).Next;

        Transitions.SetLabel(record, "Anna's", Start, Lifetimes).Record.ShouldBe(record with { Label = "Anna's" });
        Transitions.SetLabel(record with { Label = "x" }, "x", Start, Lifetimes).ShouldBe(new Decision(DecisionOutcome.AlreadyDone, record with { Label = "x" }));
    }

    [Theory]
    [InlineData("lost", null, DecisionOutcome.Done)]
    [InlineData("lost", "lost", DecisionOutcome.AlreadyDone)]
    [InlineData("lost", "stolen", DecisionOutcome.Done)]
    [InlineData(null, null, DecisionOutcome.Done)]
    [InlineData(null, "lost", DecisionOutcome.Done)]
    public void Blocking_is_done_once_for_each_reason(string? reason, string? before, DecisionOutcome expected)
    {
        DeviceRecord record = Some.Paired(_claim, Start) with { Block = before is null ? null : new Block { At = Start, By = "eve", Reason = before } };

        Decision decision = Transitions.Block(record, _claim.Device, reason, Some.Operator, Now, Lifetimes);

        decision.Outcome.ShouldBe(expected);
        decision.Record.Block.ShouldBe(expected == DecisionOutcome.AlreadyDone ? record.Block : new Block { At = before is null ? Now : Start, By = "ops", Reason = reason });
    }

    [Fact]
    public void A_block_of_a_device_that_nobody_has_heard_of_has_no_key_yet()
    {
        DeviceRecord blocked = Transitions.Block(record: null, _claim.Device, reason: null, Some.Operator, Start, Lifetimes).Record;

        (blocked.Id, blocked.PublicKey, blocked.CreatedAt).ShouldBe((_claim.Device, "", Start));
    }

    [Theory]
    [InlineData("operator:operator.admin node:camera", DecisionOutcome.Done)]
    [InlineData("operator:operator.admin", DecisionOutcome.AboveCeiling)]
    [InlineData("node:camera", DecisionOutcome.AboveCeiling)]
    public void Unblocking_needs_a_ceiling_above_every_role_of_the_device(string ceiling, DecisionOutcome expected)
    {
        DeviceRecord blocked = Some.Paired(_claim, Start) with { Block = new Block { At = Start, By = "ops" } };
        blocked = blocked with { Grants = blocked.Grants.Add("node", new Grant { Scopes = ScopeSet.Of("camera"), ApprovedAt = Start }) };
        var by = new Operator("lim", ceiling.Split(' ').Select(c => c.Split(':')).ToImmutableDictionary(c => c[0], c => ScopeSet.Of(c[1])));

        Decision decision = Transitions.Unblock(blocked, by, Implications, Start, Lifetimes);

        decision.Outcome.ShouldBe(expected);
        (decision.Record.Block is null).ShouldBe(expected == DecisionOutcome.Done);
    }

    [Fact]
    public void A_removal_withdraws_open_requests_and_no_others()
    {
        Ask first = Ask(Some.Paired(_claim, Start), _claim.Asking("node"));
        DeviceRecord rejected = Transitions.Reject(first.Next, first.Request!.Id, Some.Operator, Start, Lifetimes).Record;
        Ask open = Ask(rejected with { Label = "Anna's" }, _claim.Asking("viewer"));

        DeviceRecord removed = Transitions.Remove(open.Next, new Operator("eve"), Start, Lifetimes);

        removed.Requests.Select(r => (r.Role, r.Status, r.ResolvedBy)).ShouldBe([("node", PairingRequestStatus.Rejected, "ops"), ("viewer", PairingRequestStatus.Expired, "eve")]);
        (removed.Label, removed.Legacy, removed.Grants.Count).ShouldBe((null, false, 0));
    }

    [Fact]
    public void Taking_back_a_rule_takes_it_from_every_role()
    {
        DeviceRecord record = Transitions.AutoApprove(Some.Paired(_claim.Asking("viewer"), Start), _claim, "lan", Implications, Start, Lifetimes);
        record = Transitions.AutoApprove(record, _claim.Asking("node", "a"), "loopback", Implications, Start, Lifetimes);
        record = Transitions.AutoApprove(record, _claim.Asking("node", "b"), "lan", Implications, Start, Lifetimes);

        Decision decision = Transitions.RemoveByRule(record, "lan", Some.Operator, Now, Lifetimes);

        decision.Record.Grants.Keys.Names().ShouldBe(["node", "viewer"]);
        decision.Record.ScopesOf("node").ShouldBe(ScopeSet.Of("a"));
        decision.Record.Refusals.ShouldBe(new RefusalMarks { At = Now, Roles = DefaultAudience.Roles("node", "operator") });
    }

    // ---- forgetting

    // Two roles of rules: when each was approved, and when the device was last seen, in days before now; unseen for seven counts.
    [Theory]
    [InlineData(8, 8, null, true)]
    [InlineData(7, 7, null, true)]
    [InlineData(6, 8, null, false)]
    [InlineData(8, 6, null, false)]
    [InlineData(8, 8, 7, true)]
    [InlineData(8, 8, 6, false)]
    public void A_device_is_forgotten_once_nothing_of_it_is_newer(int first, int second, int? seen, bool isForgotten)
    {
        DeviceRecord record = Transitions.AutoApprove(record: null, _claim, "loopback", Implications, Now.AddDays(-first), Lifetimes);
        record = Transitions.AutoApprove(record, _claim.Asking("node"), "loopback", Implications, Now.AddDays(-second), Lifetimes);
        record = record with { LastSeenAt = seen is { } days ? Now.AddDays(-days) : null, Label = "Anna's" };

        DeviceRecord? forgotten = Transitions.ForgetIdle(record, Now.AddDays(-7), Now, Lifetimes);

        (forgotten is not null).ShouldBe(isForgotten);
        if (forgotten is not null)
            (forgotten.Label, forgotten.LastSeenAt, forgotten.Grants.Count, forgotten.Refusals).ShouldBe((null, null, 0, null));
    }

    [Fact]
    public void There_is_nothing_to_forget_of_a_device_that_is_not_paired()
    {
        DeviceRecord stranger = Transitions.Remove(Some.Paired(_claim, Start), Some.Operator, Start, Lifetimes);

        Transitions.ForgetIdle(stranger, Now, Now, Lifetimes).ShouldBeNull();
    }

    [Fact]
    public void A_record_stays_as_long_as_the_last_thing_in_it()
    {
        Ask first = Ask(record: null, _claim);
        PairingRequest early = first.Request!;
        PairingRequest late = early with { ExpiresAt = early.ExpiresAt.AddMinutes(1) };
        PairingRequest resolved = early with { ResolvedAt = early.ExpiresAt.AddMinutes(2) };
        DeviceRecord record = first.Next;

        ExpiresAt(record with { Requests = [early, late] }).ShouldBe(late.ExpiresAt + Lifetimes.Request);
        ExpiresAt(record with { Requests = [late, early] }).ShouldBe(late.ExpiresAt + Lifetimes.Request);
        ExpiresAt(record with { Requests = [resolved, late] }).ShouldBe(resolved.ResolvedAt + Lifetimes.Request);
        ExpiresAt(record with { Requests = [late], Refusals = new RefusalMarks { At = Start } }).ShouldBe(Start + Lifetimes.Removed);
        ExpiresAt(record with { Requests = [late], Refusals = new RefusalMarks { At = Start - Lifetimes.Removed } }).ShouldBe(late.ExpiresAt + Lifetimes.Request);
        ExpiresAt(record with { Requests = [] }).ShouldBe(DateTimeOffset.MinValue);
        ExpiresAt(record with { Block = new Block { At = Start, By = "ops" } }).ShouldBeNull();
    }

    [Theory]
    [InlineData(-1, false)]
    [InlineData(0, true)]
    [InlineData(1, true)]
    public void A_record_of_which_nothing_is_left_stays_a_moment_for_who_hears_of_the_change(int ticks, bool isPast)
    {
        DeviceRecord record = Ask(record: null, _claim).Next;
        DateTimeOffset end = Start + (2 * Lifetimes.Request);
        DateTimeOffset now = end.AddTicks(ticks);

        Transitions.ExpiresAt(record, Lifetimes, now).ShouldBe(isPast ? now + Lifetimes.Request : end);
        Transitions.ExpiresAt(Some.Paired(_claim, Start), Lifetimes, now).ShouldBeNull();
    }

    private static DateTimeOffset? ExpiresAt(DeviceRecord record) => Transitions.ExpiresAt(record, Lifetimes);

    private static Ask Ask(DeviceRecord? record, DeviceClaim claim) =>
        Transitions.Ask(record, claim, PairingReason.NotPaired, LocalityKind.Remote, address: null, Start, Lifetimes);

    private static Decision Approve(Ask ask, GrantTerms terms, Operator? by = null) =>
        Transitions.Approve(ask.Next, ask.Request!.Id, terms, by ?? Some.Operator, Implications, Start, Lifetimes);

    private static Decision SetGrant(DeviceRecord record, string role, GrantTerms? terms) =>
        Transitions.SetGrant(record, role.InDefault(), terms, Some.Operator, Implications, Start, Lifetimes);

    private static Operator Limited(string role, string scope) => new("lim", ImmutableDictionary<string, ScopeSet>.Empty.Add(role, ScopeSet.Of(scope)));

    private static DeviceRecord With(DeviceRecord record, Func<Grant, Grant> change) =>
        record with { Grants = record.Grants.SetItem("operator", change(record.Grants.Of("operator"))) };
}
