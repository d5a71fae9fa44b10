using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

public sealed class HousekeepingTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Now = Start.AddDays(30);

    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");

    [Fact]
    public void A_forgotten_device_is_a_stranger_that_a_rule_may_pair()
    {
        DeviceRecord forgotten = Forget(ByRule()).ShouldNotBeNull();

        forgotten.IsListed.ShouldBeFalse();
        PairingPolicy.Default.Decide(forgotten, _claim, new Locality(IsLoopback: true)).ShouldBe(new PairingDecision.AutoApprove("loopback", PairingReason.NotPaired));
        Transitions.ExpiresAt(forgotten, Some.Lifetimes).ShouldBe(DateTimeOffset.MinValue, "nothing of it has to be kept");
    }

    [Fact]
    public void An_operators_refusal_is_not_forgotten_with_the_device()
    {
        DeviceRecord marked = ByRule() with { Refusals = new RefusalMarks { At = Start, Roles = DefaultAudience.Roles("node") } };

        Forget(marked)!.Refusals!.Covers("node").ShouldBeTrue();
    }

    [Fact]
    public void Only_unseen_devices_that_rules_alone_approved_are_forgotten()
    {
        var kept = new Dictionary<string, DeviceRecord>
        {
            ["seen since"] = ByRule() with { LastSeenAt = Now.AddDays(-6) },
            ["approved since"] = With(ByRule(), g => g with { ApprovedAt = Now.AddDays(-6) }),
            ["an operator's"] = With(ByRule(), g => g with { Rule = null, ApprovedBy = "ops" }),
            ["an operator's in another role"] = ByRule() with
            {
                Grants = ByRule().Grants.Add("node", new Grant { Scopes = ScopeSet.Empty, ApprovedAt = Start, ApprovedBy = "ops" }),
            },
            ["an operator set an end"] = With(ByRule(), g => g with { Until = Now.AddDays(1) }),
            ["blocked"] = ByRule() with { Block = new Block { At = Start, By = "ops" } },
            ["legacy"] = ByRule() with { Legacy = true },
            ["asks for something"] = Transitions.Ask(
                ByRule(), _claim.Asking("node"), PairingReason.RoleUpgrade, LocalityKind.Remote, address: null, Now, Some.Lifetimes).Next,
        };

        foreach ((string why, DeviceRecord record) in kept)
            Forget(record).ShouldBeNull(why);
        Forget(ByRule() with { LastSeenAt = Now.AddDays(-7) }).ShouldNotBeNull("exactly that long");
    }

    [Fact]
    public void Taking_back_a_rule_removes_devices_without_other_grants()
    {
        Decision decision = RemoveByRule(ByRule());

        decision.Outcome.ShouldBe(DecisionOutcome.Done);
        decision.Record.IsPaired.ShouldBeFalse();
        decision.Record.Refusals!.WholeDevice.ShouldBeTrue("or the same rule would pair it again");
    }

    [Fact]
    public void Taking_back_a_rule_keeps_other_approvals_and_marks_the_role()
    {
        DeviceRecord both = ByRule() with
        {
            Grants = ByRule().Grants.Add("node", new Grant { Scopes = ScopeSet.Empty, ApprovedAt = Start, ApprovedBy = "ops" }),
        };

        Decision decision = RemoveByRule(both);

        decision.Record.Grants.Keys.Names().ShouldBe(["node"]);
        decision.Record.Refusals!.Covers("operator").ShouldBeTrue();
        decision.Record.Refusals.Covers("node").ShouldBeFalse();
        RemoveByRule(decision.Record).Outcome.ShouldBe(DecisionOutcome.NotFound);
        RemoveByRule(With(ByRule(), g => g with { Rule = "office" })).Outcome.ShouldBe(DecisionOutcome.NotFound);
    }

    [Fact]
    public void A_label_is_set_changed_and_taken_away()
    {
        Decision set = Transitions.SetLabel(ByRule(), "Anna's phone", Now, Some.Lifetimes);

        (set.Outcome, set.Record.Label).ShouldBe((DecisionOutcome.Done, "Anna's phone"));
        Transitions.SetLabel(set.Record, "Anna's phone", Now, Some.Lifetimes).Outcome.ShouldBe(DecisionOutcome.AlreadyDone);
        Transitions.SetLabel(set.Record, label: null, Now, Some.Lifetimes).Record.Label.ShouldBeNull();
        Transitions.Remove(set.Record, Some.Operator, Now, Some.Lifetimes).Label.ShouldBeNull();
        DeviceRecord unpaired = ByRule() with { Grants = ImmutableSortedDictionary<GrantKey, Grant>.Empty };
        Transitions.SetLabel(unpaired, "nobody", Now, Some.Lifetimes).Outcome.ShouldBe(DecisionOutcome.NotFound);
    }

    private static DeviceRecord? Forget(DeviceRecord record) => Transitions.ForgetIdle(record, Now.AddDays(-7), Now, Some.Lifetimes);

    private static Decision RemoveByRule(DeviceRecord record) => Transitions.RemoveByRule(record, "loopback", Some.Operator, Now, Some.Lifetimes);

    private static DeviceRecord With(DeviceRecord record, Func<Grant, Grant> change) =>
        record with { Grants = record.Grants.SetItem("operator", change(record.Grants.Of("operator"))) };

    private DeviceRecord ByRule() => Transitions.AutoApprove(record: null, _claim, "loopback", ScopeImplications.Default, Start, Some.Lifetimes);
}
