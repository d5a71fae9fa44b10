using System.Collections.Immutable;
using System.Net;
using ProxyGateway.DeviceAuth.Pairing;
using static ProxyGateway.Tests.Pairing.PolicyCases;

namespace ProxyGateway.Tests.Pairing;

/// <summary>A rule matches if each of its parts does; and of several rules any is enough.</summary>
public sealed class AutoApproveRuleTests
{
    private static readonly Locality Lan = new(IsLoopback: false, IPAddress.Parse("10.1.2.3"));
    private static readonly Locality Hidden = new(IsLoopback: false, Address: null);
    private static readonly AutoApproveRule Nothing = new() { Name = "rule", Reasons = [PairingReason.NotPaired, PairingReason.ScopeUpgrade] };

    public static TheoryData<string, AutoApproveRule, bool, bool, bool, bool> Places { get; } = new()
    {
        // the rule, then whether it matches from loopback, the network, elsewhere, and where nobody can tell
        { "nowhere", Nothing, false, false, false, false },
        { "loopback", Nothing with { FromLoopback = true }, true, false, false, false },
        { "any", Nothing with { FromAny = true }, true, true, true, true },
        { "network", Nothing with { FromNetworks = [IPNetwork.Parse("192.0.2.0/24"), IPNetwork.Parse("10.0.0.0/8")] }, false, true, false, false },
        { "loopback of users", Nothing with { FromLoopback = true, Users = [1000] }, true, false, false, false },
        { "any of users", Nothing with { FromAny = true, Users = [1000] }, true, false, false, false },
        { "network of users", Nothing with { FromNetworks = [IPNetwork.Parse("10.0.0.0/8")], Users = [1000] }, false, false, false, false },
    };

    [Theory]
    [MemberData(nameof(Places))]
    public void A_rule_matches_where_it_says(string name, AutoApproveRule rule, bool loopback, bool network, bool elsewhere, bool hidden)
    {
        Locality[] places = [Loopback, Lan, Elsewhere, Hidden];

        places.Select(p => Matches(rule, PairingReason.NotPaired, p)).ShouldBe([loopback, network, elsewhere, hidden], name);
    }

    [Fact]
    public void A_rule_matches_its_reasons_and_browsers_only_if_it_says_so()
    {
        AutoApproveRule rule = Nothing with { FromAny = true };

        Enum.GetValues<PairingReason>().Select(r => Matches(rule, r, Elsewhere)).ShouldBe([true, false, true]);
        Matches(rule, PairingReason.NotPaired, Elsewhere with { IsBrowser = true }).ShouldBeFalse();
        Matches(rule with { Browsers = true }, PairingReason.NotPaired, Elsewhere with { IsBrowser = true }).ShouldBeTrue();
        Matches(rule with { Browsers = true }, PairingReason.NotPaired, Elsewhere).ShouldBeTrue();
    }

    [Theory]
    [InlineData("operator", "operator.read", true)]
    [InlineData("operator", "operator.write operator.read", true)]
    [InlineData("operator", "operator.admin", false)]
    [InlineData("operator", "operator.read operator.admin", false)]
    [InlineData("operator", "", true)]
    [InlineData("node", "", true)]
    [InlineData("node", "camera", false)]
    [InlineData("other", "", false)]
    public void Past_what_it_may_give_it_gives_nothing(string role, string scopes, bool expected)
    {
        ImmutableDictionary<string, ScopeSet> upTo = ImmutableDictionary<string, ScopeSet>.Empty.Add("operator", ScopeSet.Of("operator.write")).Add("node", ScopeSet.Empty);
        AutoApproveRule rule = Nothing with { FromAny = true, UpTo = upTo };

        rule.MatchesButForUsers(PairingReason.NotPaired, Asks(role, scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries)), Elsewhere, ScopeImplications.Default)
            .ShouldBe(expected);
    }

    [Theory]
    [InlineData(1, "look up")]
    [InlineData(2, "look up")]
    [InlineData(3, "look up")]
    public void However_many_rules_hang_on_the_user_it_is_looked_up(int rules, string expected)
    {
        PairingPolicy policy = new()
        {
            AutoApprove = [.. Enumerable.Range(0, rules).Select(i => Nothing with { Name = $"rule{i}", FromLoopback = true, Users = [(uint)i] })],
        };

        Decide(policy, record: null, Asks("operator"), Loopback).ShouldBe(expected);
        Decide(policy, record: null, Asks("operator"), Loopback with { Peer = PeerUser.Known(0) }).ShouldBe("approve rule0 not-paired");
        Decide(policy, record: null, Asks("operator"), Loopback with { Peer = PeerUser.Known(17) }).ShouldBe("pair not-paired");
        Decide(policy, record: null, Asks("operator"), Loopback with { Peer = new PeerUser(PeerUserState.Unknown, userId: 0) }).ShouldBe("pair not-paired", "an id that is not known is none");
    }

    [Fact]
    public void Of_a_legacy_device_one_role_without_scopes_is_enough_to_have_it_paired_again()
    {
        PairingPolicy policy = new() { LegacyDevices = LegacyDevices.RePair, AutoApprove = [Nothing with { FromAny = true, Reasons = [.. Enum.GetValues<PairingReason>()] }] };
        DeviceRecord record = Holds("operator", "operator.read");
        record = record with { Grants = record.Grants.Add("node", new Grant { ApprovedAt = default }) };

        Decide(policy, record, Asks("viewer"), Loopback).ShouldBe("pair not-paired");
        Decide(policy, record, Asks("node"), Loopback).ShouldBe("pair not-paired");
        Decide(policy, record, Asks("operator", "operator.read"), Loopback).ShouldBe("admit", "this role was approved again");
        Decide(policy with { LegacyDevices = LegacyDevices.Upgrade }, record, Asks("viewer"), Loopback).ShouldBe("approve rule role-upgrade");
        Decide(policy, record: null, Asks("viewer"), Loopback).ShouldBe("approve rule not-paired");
    }

    [Fact]
    public void Rules_that_have_done_all_they_may_are_left_out()
    {
        PairingPolicy policy = new() { AutoApprove = [Nothing with { Name = "a" }, Nothing with { Name = "b" }, Nothing with { Name = "c" }] };

        policy.Without([]).ShouldBeSameAs(policy);
        policy.Without(["a", "c"]).AutoApprove.Select(r => r.Name).ShouldBe(["b"]);
    }

    [Fact]
    public void A_network_is_one_that_any_rule_names()
    {
        PairingPolicy policy = new() { AutoApprove = [Nothing with { FromLoopback = true }, Nothing with { FromNetworks = [IPNetwork.Parse("10.0.0.0/8")] }] };

        new[] { Loopback, Lan, Elsewhere, Hidden }.Select(policy.Classify)
            .ShouldBe([LocalityKind.Loopback, LocalityKind.Network, LocalityKind.Remote, LocalityKind.Remote]);
    }

    [Fact]
    public void Without_configuration_loopback_is_approved_but_for_roles()
    {
        AutoApproveRule rule = PairingPolicy.Default.AutoApprove.ShouldHaveSingleItem();

        (rule.Name, rule.FromLoopback, rule.FromAny, rule.Browsers, rule.MaxDevicesPerHour, PairingPolicy.Default.MaxDevicesByRules)
            .ShouldBe(("loopback", true, false, false, 1000, 100_000));
        rule.Reasons.ShouldBe([PairingReason.NotPaired, PairingReason.ScopeUpgrade]);
        (rule.FromNetworks.IsEmpty, rule.UpTo, rule.Users).ShouldBe((true, null, null));
    }

    private static bool Matches(AutoApproveRule rule, PairingReason reason, Locality locality) =>
        rule.MatchesButForUsers(reason, Asks("operator", "operator.read"), locality, ScopeImplications.Default);
}
