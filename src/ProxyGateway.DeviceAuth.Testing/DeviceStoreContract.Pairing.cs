using System.Collections.Concurrent;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>The number of devices that rules pair is bounded, within an hour and in all, and the stores count them.</summary>
public abstract partial class DeviceStoreContract
{
    [Fact]
    public async Task A_rule_pairs_a_bounded_number_of_devices_within_an_hour_and_then_an_operator_decides()
    {
        PairingRules rules = Bounded(perHour: 2, inAll: 100);
        var reached = new ConcurrentQueue<ReachedBound>();
        Registry.BoundReached += reached.Enqueue;
        DeviceClaim first = Some.Claim("operator", "operator.read");
        (await PairByRuleAsync(first, rules)).ShouldBe("loopback");
        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBe("loopback");
        reached.ShouldBeEmpty();

        DeviceClaim third = Some.Claim("operator", "operator.read");
        Admission.Refused refused = (await Registry.AdmitAsync(third, Some.Loopback, rules, None)).ShouldBeOfType<Admission.Refused>();

        refused.Reason.ShouldBe(PairingReason.NotPaired);
        reached.ShouldHaveSingleItem().ShouldBe(new ReachedBound("loopback", 2, IsInAll: false));
        (await ListOpenAsync(pageSize: 10)).ShouldBe([refused.Request.Id]);
        (await Registry.AdmitAsync(first, Some.Loopback, rules, None)).ShouldBeOfType<Admission.Admitted>("what is paired stays so");
        (await PairByRuleAsync(first.Asking("operator", "operator.write"), rules)).ShouldBe("loopback", "it is no new device");
        await Registry.RemoveAsync(first.Device, Some.Operator, rules, None);
        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBeNull("what was removed was paired all the same");
        (await Registry.ApproveAsync(refused.Request.Id, scopes: null, Some.Operator, rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        (await Registry.AdmitAsync(third, Some.Loopback, rules, None)).ShouldBeOfType<Admission.Admitted>();
    }

    [Fact]
    public async Task A_rule_at_its_bound_does_not_stop_other_rules()
    {
        PairingRules rules = Bounded(perHour: 1, inAll: 100);
        var other = new AutoApproveRule { Name = "other", FromAny = true, Reasons = [PairingReason.NotPaired] };
        rules = rules with { Policy = rules.Policy with { AutoApprove = rules.Policy.AutoApprove.Add(other) } };

        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBe("loopback");
        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBe("other");
    }

    [Fact]
    public async Task A_device_of_one_audience_is_a_new_one_to_a_rule_in_another_and_none_more_in_all()
    {
        PairingRules rules = Bounded(perHour: 2, inAll: 1);
        DeviceClaim byRule = Some.Claim();
        DeviceClaim[] byOperator = [Some.Claim(), Some.Claim()];
        foreach (DeviceClaim claim in byOperator)
        {
            Admission.Refused refused = (await Registry.AdmitAsync(claim, Some.Origin, rules, None)).ShouldBeOfType<Admission.Refused>();
            await Registry.ApproveAsync(refused.Request.Id, scopes: null, Some.Operator, rules, None);
        }

        (await PairByRuleAsync(byRule, rules)).ShouldBe("loopback");
        (await PairByRuleAsync(byRule.In("agent-2"), rules)).ShouldBe("loopback", "the same device counts once");
        (await PairByRuleAsync(byOperator[0].In("agent-2"), rules)).ShouldBe("loopback", "an operator has approved it elsewhere: rules alone hold no more than before");
        (await PairByRuleAsync(byOperator[1].In("agent-2"), rules)).ShouldBeNull("a flood of devices that are known elsewhere is a flood as well");
        DeviceRecord record = (await Registry.FindAsync(byOperator[0].Device, None))!;
        record.Grants.Keys.Names().ShouldBe(["operator", "agent-2/operator"]);
        (record.IsByRulesAlone, record.Grants[byOperator[0].In("agent-2").Key].Rule).ShouldBe((false, "loopback"));
    }

    [Fact]
    public async Task The_same_device_counts_once_however_often_it_is_paired()
    {
        PairingRules rules = Bounded(perHour: 2, inAll: 2);
        DeviceClaim claim = Some.Claim();
        var fleet = new DeviceFleet(Registry, TimeProvider.System);
        for (int i = 0; i < 3; i++)
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => PairByRuleAsync(claim, rules))));
            (await fleet.ForgetIdleAsync(TimeSpan.Zero, rules, None)).ShouldBe(1);
        }

        (await PairByRuleAsync(claim, rules)).ShouldBe("loopback");
        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBe("loopback");
        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBeNull();
    }

    [Theory]
    [InlineData(10, 100)]
    [InlineData(100, 10)]
    public async Task The_bounds_of_rules_hold_under_concurrent_pairings(int perHour, int inAll)
    {
        PairingRules rules = Bounded(perHour, inAll);

        string?[] by = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => Task.Run(() => PairByRuleAsync(Some.Claim(), rules))));

        by.Count(rule => rule is not null).ShouldBe(10);
        (await Store.ListDevicesAsync(cursor: null, 100, None)).Items.Count.ShouldBe(10);
    }

    [Fact]
    public async Task Devices_that_are_removed_forgotten_or_approved_by_an_operator_make_room_for_rules()
    {
        PairingRules rules = Bounded(perHour: 100, inAll: 2);
        DeviceClaim removed = Some.Claim();
        DeviceClaim approved = Some.Claim("operator", "operator.read");
        await PairAsync(Some.Claim());
        await PairByRuleAsync(removed, rules);
        await PairByRuleAsync(approved, rules);
        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBeNull("two are there, and the operator's does not count");

        await Registry.RemoveAsync(removed.Device, Some.Operator, rules, None);
        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBe("loopback");
        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBeNull();

        await Registry.SetGrantAsync(approved.Device, "operator".InDefault(), ScopeSet.Of("operator.read"), Some.Operator, rules, None);
        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBe("loopback");
        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBeNull();

        (await new DeviceFleet(Registry, TimeProvider.System).ForgetIdleAsync(TimeSpan.Zero, rules, None)).ShouldBe(2);
        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBe("loopback");
    }

    [Fact]
    public async Task A_copy_counts_devices_that_rules_have_paired()
    {
        if (!IsCopyable)
            return;
        PairingRules rules = Bounded(perHour: 100, inAll: 2);
        ICopyableDeviceStore store = await OpenOtherAsync();
        var source = new DeviceRegistry(store);
        foreach (DeviceClaim claim in new[] { Some.Claim(), Some.Claim() })
            (await source.AdmitAsync(claim, Some.Loopback, rules, None)).ShouldBeOfType<Admission.Admitted>();

        await new RegistryCopy(store, Copyable).RunAsync(None);

        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBeNull();
    }

    /// <summary>Rules by which loopback pairs this many devices.</summary>
    protected static PairingRules Bounded(int perHour, int inAll) => Some.Rules with
    {
        Policy = new PairingPolicy
        {
            AutoApprove = [PairingPolicy.Default.AutoApprove[0] with { MaxDevicesPerHour = perHour }],
            MaxDevicesByRules = inAll,
        },
    };

    /// <summary>The rule that paired the device now; null if the device must wait for an operator, or was paired before.</summary>
    protected async Task<string?> PairByRuleAsync(DeviceClaim claim, PairingRules rules) =>
        await Registry.AdmitAsync(claim, Some.Loopback, rules, None) is Admission.Admitted admitted ? admitted.Rule : null;
}
