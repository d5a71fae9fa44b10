using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

/// <summary>A grant with an end covers until then, and an operator has to say what comes after.</summary>
public sealed class GrantEndTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset End = Start.AddHours(1);
    private static readonly Locality Loopback = new(IsLoopback: true);

    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");

    [Fact]
    public void A_grant_covers_until_its_end_and_not_at_it()
    {
        DeviceRecord record = Ending();

        Decide(record, End.AddMilliseconds(-1)).ShouldBeOfType<PairingDecision.Admit>();
        Decide(record, End).ShouldBe(new PairingDecision.RequirePairing(PairingReason.NotPaired));
    }

    [Fact]
    public void After_the_end_no_rule_renews_a_grant_and_an_operator_may()
    {
        DeviceRecord record = Ending();

        Ask ask = Transitions.Ask(record, _claim, PairingReason.NotPaired, LocalityKind.Loopback, address: null, End, Some.Lifetimes);

        ask.Next.Grants.ShouldBeEmpty("what has run out is gone with the next write");
        Decide(ask.Next, End).ShouldBeOfType<PairingDecision.RequirePairing>();
        DeviceRecord approved = Approve(ask.Next, ask.Request!.Id, new GrantTerms(), End).Record;
        approved.Grants.Of("operator").Until.ShouldBeNull();
        Decide(approved, End).ShouldBeOfType<PairingDecision.Admit>();
        approved.Refusals.ShouldBeNull();
    }

    [Fact]
    public void Other_roles_stay_when_a_grant_ends()
    {
        DeviceRecord record = Ending();
        record = record with { Grants = record.Grants.Add("node", new Grant { Scopes = ScopeSet.Empty, ApprovedAt = Start }) };

        DeviceRecord later = record.AsOf(End);

        later.Grants.Keys.Names().ShouldBe(["node"]);
        later.Refusals!.Covers("operator").ShouldBeTrue();
        later.Refusals.Covers("node").ShouldBeFalse();
        PairingPolicy.Default.Decide(later, _claim, Loopback).ShouldBe(new PairingDecision.RequirePairing(PairingReason.RoleUpgrade));
    }

    [Fact]
    public void The_mark_of_an_ended_grant_has_the_time_of_its_end_and_never_shortens_another()
    {
        DeviceRecord record = Ending() with { Refusals = new RefusalMarks { At = End.AddDays(1), Roles = DefaultAudience.Roles("node") } };

        record.AsOf(End.AddDays(2)).Refusals!.At.ShouldBe(End.AddDays(1));
        Ending().AsOf(End.AddDays(2)).Refusals!.At.ShouldBe(End);
        Transitions.ExpiresAt(Ending().AsOf(End), Some.Lifetimes).ShouldBe(End + Some.Lifetimes.Removed);
    }

    [Fact]
    public void A_rule_that_widens_a_grant_does_not_prolong_it()
    {
        DeviceRecord record = Transitions.AutoApprove(
            Ending(), _claim.Asking("operator", "operator.write"), "loopback", ScopeImplications.Default, Start, Some.Lifetimes);

        record.Grants.Of("operator").Until.ShouldBe(End);
    }

    [Fact]
    public void An_approval_may_name_an_end()
    {
        Ask ask = Asked(record: null, "operator.read");

        Decision decision = Approve(ask.Next, ask.Request!.Id, new GrantTerms(Until: End));

        decision.Outcome.ShouldBe(DecisionOutcome.Done);
        decision.Record.Grants.Of("operator").Until.ShouldBe(End);
        Approve(decision.Record, ask.Request.Id, new GrantTerms(Until: End)).Outcome.ShouldBe(DecisionOutcome.AlreadyDone);
        Approve(decision.Record, ask.Request.Id, new GrantTerms()).Outcome.ShouldBe(DecisionOutcome.AlreadyDone);
        Approve(decision.Record, ask.Request.Id, new GrantTerms(Until: End.AddHours(1))).Outcome.ShouldBe(DecisionOutcome.AlreadyResolved);
    }

    [Fact]
    public void An_approval_without_an_end_keeps_the_one_that_is_set()
    {
        Ask ask = Asked(Ending(), "operator.write");

        Approve(ask.Next, ask.Request!.Id, new GrantTerms()).Record.Grants.Of("operator").Until.ShouldBe(End);
        Approve(ask.Next, ask.Request.Id, new GrantTerms(Until: End.AddHours(1))).Record.Grants.Of("operator").Until.ShouldBe(End.AddHours(1));
    }

    [Fact]
    public void An_approval_of_more_with_an_end_does_not_end_scopes_that_are_held_without_one()
    {
        Ask ask = Asked(Some.Paired(_claim, Start), "operator.write");

        Approve(ask.Next, ask.Request!.Id, new GrantTerms(Until: End)).Outcome.ShouldBe(DecisionOutcome.HeldWithoutEnd);
    }

    [Fact]
    public void An_end_for_a_scope_does_not_end_a_role_that_is_held_without_any()
    {
        Ask ask = Asked(Some.Paired(_claim.Asking("operator"), Start), "operator.read");

        Approve(ask.Next, ask.Request!.Id, new GrantTerms(Until: End)).Outcome.ShouldBe(DecisionOutcome.HeldWithoutEnd);
    }

    [Fact]
    public void Prolonging_a_grant_above_the_operators_ceiling_is_refused()
    {
        DeviceRecord ending = Ending();
        ending = ending with { Grants = ending.Grants.SetItem("operator", ending.Grants.Of("operator") with { Scopes = ScopeSet.Of("operator.admin") }) };
        Ask ask = Asked(ending, "camera");
        var by = new Operator("lim", ImmutableDictionary<string, ScopeSet>.Empty.Add("operator", ScopeSet.Of("camera")));

        Approve(ask.Next, ask.Request!.Id, new GrantTerms(Until: End.AddHours(1)), by: by).Outcome.ShouldBe(DecisionOutcome.AboveCeiling);
        Approve(ask.Next, ask.Request.Id, new GrantTerms(), by: by).Record.Grants.Of("operator").Until.ShouldBe(End);
        Approve(ask.Next, ask.Request.Id, new GrantTerms(Until: End.AddMinutes(-1)), by: by).Outcome.ShouldBe(DecisionOutcome.Done, "it may end sooner");
    }

    [Fact]
    public void An_end_in_the_past_is_refused()
    {
        Ask ask = Asked(record: null, "operator.read");
        DeviceRecord paired = Some.Paired(_claim, Start);

        Approve(ask.Next, ask.Request!.Id, new GrantTerms(Until: Start)).Outcome.ShouldBe(DecisionOutcome.UntilIsPast);
        SetGrant(paired, new GrantTerms(_claim.Scopes, Start)).Outcome.ShouldBe(DecisionOutcome.UntilIsPast);
        SetGrant(paired, new GrantTerms(_claim.Scopes, Start.AddMilliseconds(1))).Outcome.ShouldBe(DecisionOutcome.Done);
    }

    [Fact]
    public void Setting_a_grant_sets_or_removes_its_end()
    {
        DeviceRecord record = SetGrant(Some.Paired(_claim, Start), new GrantTerms(_claim.Scopes, End)).Record;
        record.Grants.Of("operator").Until.ShouldBe(End);
        SetGrant(record, new GrantTerms(_claim.Scopes)).Record.Grants.Of("operator").Until.ShouldBeNull();
    }

    private Ask Asked(DeviceRecord? record, string scope) => Transitions.Ask(
        record, _claim.Asking("operator", scope), PairingReason.ScopeUpgrade, LocalityKind.Remote, address: null, Start, Some.Lifetimes);

    private static Decision Approve(DeviceRecord record, RequestId id, GrantTerms terms, DateTimeOffset? now = null, Operator? by = null) =>
        Transitions.Approve(record, id, terms, by ?? Some.Operator, ScopeImplications.Default, now ?? Start, Some.Lifetimes);

    private static Decision SetGrant(DeviceRecord record, GrantTerms terms) =>
        Transitions.SetGrant(record, "operator".InDefault(), terms, Some.Operator, ScopeImplications.Default, Start, Some.Lifetimes);

    private PairingDecision Decide(DeviceRecord record, DateTimeOffset now) => PairingPolicy.Default.Decide(record.AsOf(now), _claim, Loopback);

    private DeviceRecord Ending()
    {
        DeviceRecord record = Some.Paired(_claim, Start);
        return record with { Grants = record.Grants.SetItem("operator", record.Grants.Of("operator") with { Until = End }) };
    }
}
