using System.Net;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.Tests.Configuration;
using static ProxyGateway.Tests.Pairing.PolicyCases;

namespace ProxyGateway.Tests.Pairing;

/// <summary>The table of the policy: what covers a claim, what a rule approves, and what waits for an operator.</summary>
public sealed class PairingPolicyTests
{
    private const string NotPaired = "not-paired";
    private const string RoleUpgrade = "role-upgrade";
    private const string ScopeUpgrade = "scope-upgrade";

    private static readonly PairingPolicy NothingSilent = PairingPolicy.Default with { AutoApprove = [] };

    [Fact]
    public void By_default_one_rule_approves_programs_on_the_same_machine()
    {
        AutoApproveRule rule = PairingPolicy.Default.AutoApprove.ShouldHaveSingleItem();

        (rule.Name, rule.FromLoopback).ShouldBe(("loopback", true));
        rule.Reasons.ShouldBe([PairingReason.NotPaired, PairingReason.ScopeUpgrade]);
    }

    // ---- coverage: the first that fails is the reason

    [Fact]
    public void Coverage_is_checked_device_first_then_role_then_scopes()
    {
        Decide(NothingSilent, record: null, Asks("operator"), Loopback).ShouldBe("pair " + NotPaired);
        Decide(NothingSilent, Nothing, Asks("operator"), Loopback).ShouldBe("pair " + NotPaired);
        Decide(NothingSilent, Holds("operator", "operator.read"), Asks("node", "operator.read"), Loopback).ShouldBe("pair " + RoleUpgrade);
        Decide(NothingSilent, Holds("operator", "operator.read"), Asks("operator", "operator.write"), Loopback).ShouldBe("pair " + ScopeUpgrade);
        Decide(NothingSilent, Holds("operator", "operator.read"), Asks("operator", "operator.read"), Elsewhere).ShouldBe("admit");
    }

    [Fact]
    public void A_claim_without_scopes_is_covered_by_any_grant_of_its_role()
    {
        Decide(NothingSilent, Holds("operator"), Asks("operator"), Elsewhere).ShouldBe("admit");
        Decide(NothingSilent, Holds("operator", "operator.read"), Asks("operator"), Elsewhere).ShouldBe("admit");
        Decide(NothingSilent, Holds("operator", "operator.read"), Asks("node"), Elsewhere).ShouldBe("pair " + RoleUpgrade);
    }

    [Theory]
    [InlineData("operator", "operator.admin", "operator.admin", true)]
    [InlineData("operator", "operator.admin", "operator.write", true)]
    [InlineData("operator", "operator.admin", "operator.read", true)]
    [InlineData("operator", "operator.admin", "operator.pairing", true)]
    [InlineData("operator", "operator.admin", "operator.a.b", true)]
    [InlineData("operator", "operator.admin", "operatorx", false)]
    [InlineData("operator", "operator.admin", "operator", false)]
    [InlineData("operator", "operator.admin", "node.camera", false)]
    [InlineData("operator", "operator.write", "operator.write", true)]
    [InlineData("operator", "operator.write", "operator.read", true)]
    [InlineData("operator", "operator.write", "operator.admin", false)]
    [InlineData("operator", "operator.write", "operator.pairing", false)]
    [InlineData("operator", "operator.read", "operator.write", false)]
    [InlineData("operator", "operator.read", "Operator.Read", false)]
    [InlineData("operator", "operator.read", "operator.read.more", false)]
    [InlineData("node", "operator.admin", "operator.read", false)]
    [InlineData("node", "operator.write", "operator.read", false)]
    [InlineData("node", "operator.admin", "operator.admin", true)]
    [InlineData("Operator", "operator.admin", "operator.read", false)]
    [InlineData("operator", "operator.*", "operator.read", false)]
    public void Scopes_cover_themselves_and_by_implication_others_of_the_operator_role(string role, string granted, string asked, bool covered) =>
        Decide(NothingSilent, Holds(role, granted), Asks(role, asked), Elsewhere).ShouldBe(covered ? "admit" : "pair " + ScopeUpgrade);

    [Fact]
    public void Every_scope_has_to_be_covered() =>
        Decide(NothingSilent, Holds("operator", "operator.write"), Asks("operator", "operator.read", "operator.pairing"), Elsewhere)
            .ShouldBe("pair " + ScopeUpgrade);

    [Fact]
    public void Scopes_do_not_leak_from_one_role_to_another() =>
        Decide(NothingSilent, Holds("operator", "operator.admin").And("node"), Asks("node", "operator.read"), Elsewhere).ShouldBe("pair " + ScopeUpgrade);

    [Theory]
    [InlineData("operator", "operator.read", false, true)]
    [InlineData("operator", "operator.read", true, false)]
    [InlineData("operator", "operator.write", false, false)]
    [InlineData("node", null, false, false)]
    public void A_record_admits_what_its_grants_cover_while_it_is_not_blocked(string role, string? scope, bool isBlocked, bool admits)
    {
        DeviceRecord record = Holds("operator", "operator.read") with { Block = isBlocked ? new Block { At = default, By = "ops" } : null };

        NothingSilent.Admits(record, scope is null ? Asks(role) : Asks(role, scope)).ShouldBe(admits);
        NothingSilent.Admits(record: null, Asks(role)).ShouldBeFalse();
    }

    // ---- the policies that people have asked for, from configuration alone

    // policy, place, then what becomes of a new device, a scope upgrade and a role upgrade
    [Theory]
    [InlineData(null, "loopback", "loopback", "loopback", null)]
    [InlineData(null, "10.1.2.3", null, null, null)]
    [InlineData(null, "elsewhere", null, null, null)]
    [InlineData(null, "browser", null, null, null)]
    [InlineData("""{ "loopback": { "Reasons": ["not-paired"] } }""", "loopback", "loopback", null, null)]
    [InlineData("""{ "loopback": { "Reasons": ["not-paired"] } }""", "elsewhere", null, null, null)]
    [InlineData("""{ "loopback": { "Enabled": false } }""", "loopback", null, null, null)]
    [InlineData("""{ "loopback": { "Reasons": ["not-paired", "scope-upgrade", "role-upgrade"] } }""", "loopback", "loopback", "loopback", "loopback")]
    [InlineData("""{ "loopback": { "Reasons": ["not-paired", "scope-upgrade", "role-upgrade"] } }""", "10.1.2.3", null, null, null)]
    [InlineData("""{ "upgrades": { "From": ["any"], "Reasons": ["scope-upgrade", "role-upgrade"] } }""", "elsewhere", null, "upgrades", "upgrades")]
    [InlineData("""{ "upgrades": { "From": ["any"], "Reasons": ["scope-upgrade", "role-upgrade"] } }""", "loopback", null, "upgrades", "upgrades")]
    [InlineData("""{ "upgrades": { "From": ["any"], "Reasons": ["scope-upgrade", "role-upgrade"] } }""", "browser", null, null, null)]
    [InlineData("""{ "lan": { "From": ["10.0.0.0/8"], "Reasons": ["not-paired", "scope-upgrade"], "UpTo": { "operator": ["operator.write"] } } }""", "10.1.2.3", "lan", "lan", null)]
    [InlineData("""{ "lan": { "From": ["10.0.0.0/8"], "Reasons": ["not-paired", "scope-upgrade"], "UpTo": { "operator": ["operator.write"] } } }""", "elsewhere", null, null, null)]
    [InlineData("""{ "lan": { "From": ["10.0.0.0/8"], "Reasons": ["not-paired", "scope-upgrade"], "UpTo": { "operator": ["operator.read"] } } }""", "10.1.2.3", null, null, null)]
    [InlineData("""{ "lan": { "From": ["10.0.0.0/8"], "Reasons": ["not-paired", "scope-upgrade"] } }""", "loopback", null, null, null)]
    [InlineData("""{ "lan": { "From": ["0.0.0.0/0"], "Reasons": ["not-paired", "scope-upgrade"] } }""", "loopback", null, null, null)]
    [InlineData("""{ "lan": { "From": ["fd00::/8"], "Reasons": ["not-paired"] } }""", "fd00::17", "lan", null, null)]
    [InlineData("""{ "lan": { "From": ["10.0.0.0/8"], "Reasons": ["not-paired"] } }""", "::ffff:10.1.2.3", "lan", null, null)]
    [InlineData("""{ "page": { "From": ["loopback"], "Reasons": ["not-paired"], "Browsers": true } }""", "browser", "page", null, null)]
    [InlineData("""{ "page": { "From": ["loopback"], "Reasons": ["not-paired"], "Browsers": true } }""", "loopback", "page", null, null)]
    public void Policies_that_people_have_asked_for(string? rules, string place, string? newDevice, string? scopeUpgrade, string? roleUpgrade)
    {
        PairingPolicy policy = Policy(rules);
        Locality locality = Place(place);

        Decide(policy, record: null, Asks("operator", "operator.write"), locality).ShouldBe(Expected(newDevice, NotPaired));
        Decide(policy, Holds("operator", "operator.read"), Asks("operator", "operator.write"), locality).ShouldBe(Expected(scopeUpgrade, ScopeUpgrade));
        Decide(policy, Holds("operator", "operator.read"), Asks("node"), locality).ShouldBe(Expected(roleUpgrade, RoleUpgrade));

        static string Expected(string? rule, string reason) => rule is null ? "pair " + reason : $"approve {rule} {reason}";
    }

    [Fact]
    public void Nodes_pair_silently_from_a_trusted_network_with_no_scopes()
    {
        PairingPolicy policy = Policy("""{ "nodes": { "From": ["10.0.0.0/8"], "Reasons": ["not-paired"], "UpTo": { "node": [] } } }""");

        Decide(policy, record: null, Asks("node"), Place("10.1.2.3")).ShouldBe("approve nodes not-paired");
        Decide(policy, record: null, Asks("node", "camera"), Place("10.1.2.3")).ShouldBe("pair not-paired");
        Decide(policy, record: null, Asks("operator"), Place("10.1.2.3")).ShouldBe("pair not-paired");
        Decide(policy, record: null, Asks("node"), Elsewhere).ShouldBe("pair not-paired");
    }

    [Fact]
    public void UpTo_is_compared_by_coverage()
    {
        PairingPolicy policy = Policy("""{ "loopback": { "UpTo": { "operator": ["operator.write"] } } }""");

        Decide(policy, record: null, Asks("operator", "operator.read"), Loopback).ShouldBe("approve loopback not-paired");
        Decide(policy, record: null, Asks("operator", "operator.admin"), Loopback).ShouldBe("pair not-paired");
        Decide(policy, record: null, Asks("node"), Loopback).ShouldBe("pair not-paired");
    }

    [Fact]
    public void A_rule_with_users_asks_for_the_peer_and_decides_by_its_user()
    {
        PairingPolicy policy = Policy("""{ "loopback": { "Users": ["self", "agent"] } }""");

        Decide(policy, record: null, Asks("operator"), Loopback).ShouldBe("look up");
        Decide(policy, record: null, Asks("operator"), Loopback with { Peer = PeerUser.Known(Configurations.Self) }).ShouldBe("approve loopback not-paired");
        Decide(policy, record: null, Asks("operator"), Loopback with { Peer = PeerUser.Known(2000) }).ShouldBe("approve loopback not-paired");
        Decide(policy, record: null, Asks("operator"), Loopback with { Peer = PeerUser.Known(0) }).ShouldBe("pair not-paired");
        Decide(policy, record: null, Asks("operator"), Loopback with { Peer = PeerUser.Unknown }).ShouldBe("pair not-paired");
        Decide(policy, record: null, Asks("operator"), Elsewhere with { Peer = PeerUser.Known(Configurations.Self) }).ShouldBe("pair not-paired");
    }

    [Fact]
    public void The_peer_is_looked_up_only_where_it_decides()
    {
        PairingPolicy policy = Policy("""{ "loopback": { "Users": ["self"] } }""");

        Decide(policy, Holds("operator"), Asks("operator"), Loopback).ShouldBe("admit");
        Decide(policy, Holds("operator"), Asks("node"), Loopback).ShouldBe("pair role-upgrade");
        Decide(policy, record: null, Asks("operator"), Place("browser")).ShouldBe("pair not-paired");
        Decide(policy, record: null, Asks("operator"), Elsewhere).ShouldBe("pair not-paired");
        Decide(policy, Refused("operator"), Asks("operator"), Loopback).ShouldBe("pair not-paired");

        PairingPolicy wider = Policy("""{ "a": { "From": ["loopback"], "Reasons": ["not-paired"], "Users": ["self"] }, "b": { "From": ["any"], "Reasons": ["not-paired"] } }""");
        Decide(wider, record: null, Asks("operator"), Loopback).ShouldBe("approve b not-paired");
    }

    [Theory]
    [InlineData("Upgrade")]
    [InlineData("RePair")]
    public void Devices_imported_without_roles_or_scopes(string legacyDevices)
    {
        PairingPolicy policy = Configurations.Read($$"""
            { "Pairing": { "LegacyDevices": "{{legacyDevices}}", "AutoApprove": { "loopback": { "Reasons": ["not-paired", "scope-upgrade", "role-upgrade"] } } } }
            """).Policy;
        bool upgrade = legacyDevices == "Upgrade";
        DeviceRecord withoutRoles = Nothing with { Legacy = true };
        DeviceRecord withoutScopes = Nothing with { Grants = Nothing.Grants.Add("operator", new Grant { ApprovedAt = default }) };

        Decide(policy, withoutRoles, Asks("operator"), Loopback).ShouldBe(upgrade ? "approve loopback role-upgrade" : "pair not-paired");
        Decide(policy, withoutScopes, Asks("operator", "operator.read"), Loopback).ShouldBe(upgrade ? "approve loopback scope-upgrade" : "pair not-paired");
        Decide(policy, withoutScopes, Asks("operator"), Loopback).ShouldBe(upgrade ? "admit" : "pair not-paired");
        Decide(policy, withoutScopes, Asks("node"), Loopback).ShouldBe(upgrade ? "approve loopback role-upgrade" : "pair not-paired");

        // Approved again, it is a device like any other.
        Decide(policy, Holds("operator", "operator.read") with { Legacy = true }, Asks("operator", "operator.read"), Loopback).ShouldBe("admit");
        Decide(policy, Holds("operator", "operator.read") with { Legacy = true }, Asks("operator", "operator.write"), Loopback)
            .ShouldBe("approve loopback scope-upgrade");
        Decide(policy, Holds("operator"), Asks("node"), Loopback).ShouldBe("approve loopback role-upgrade");
    }

    [Fact]
    public void By_default_legacy_devices_upgrade() => PairingPolicy.Default.LegacyDevices.ShouldBe(LegacyDevices.Upgrade);

    // ---- an operator's no outlives a rule's yes

    [Fact]
    public void No_rule_approves_where_an_operator_has_refused()
    {
        PairingPolicy policy = Policy("""{ "all": { "From": ["any"], "Reasons": ["not-paired", "scope-upgrade", "role-upgrade"] } }""");
        DeviceRecord removed = Nothing with { Refusals = new RefusalMarks { At = default, WholeDevice = true } };
        DeviceRecord cleared = removed with { Refusals = removed.Refusals! with { Cleared = DefaultAudience.Roles("operator") } };

        Decide(policy, removed, Asks("operator"), Loopback).ShouldBe("pair not-paired");
        Decide(policy, removed, Asks("node"), Loopback).ShouldBe("pair not-paired");
        Decide(policy, cleared, Asks("operator"), Loopback).ShouldBe("approve all not-paired");
        Decide(policy, cleared, Asks("node"), Loopback).ShouldBe("pair not-paired");

        Decide(policy, Refused("operator"), Asks("operator"), Loopback).ShouldBe("pair not-paired");
        Decide(policy, Refused("operator"), Asks("node"), Loopback).ShouldBe("approve all not-paired");
        DeviceRecord narrowed = Holds("operator", "operator.read") with { Refusals = Refused("operator").Refusals };
        Decide(policy, narrowed, Asks("operator", "operator.write"), Loopback).ShouldBe("pair scope-upgrade");
        Decide(policy, narrowed, Asks("operator", "operator.read"), Loopback).ShouldBe("admit");
    }

    [Theory]
    [InlineData("loopback", LocalityKind.Loopback)]
    [InlineData("10.1.2.3", LocalityKind.Network)]
    [InlineData("elsewhere", LocalityKind.Remote)]
    public void Operators_see_where_a_request_comes_from(string place, LocalityKind expected) =>
        Policy("""{ "lan": { "From": ["10.0.0.0/8"], "Reasons": ["not-paired"] } }""").Classify(Place(place)).ShouldBe(expected);

    private static PairingPolicy Policy(string? rules) =>
        Configurations.Read(rules is null ? "{}" : $$"""{ "Pairing": { "AutoApprove": {{rules}} } }""").Policy;

    private static Locality Place(string place) => place switch
    {
        "loopback" => Loopback,
        "elsewhere" => Elsewhere,
        "browser" => Loopback with { IsBrowser = true },
        _ => new Locality(IsLoopback: false, IPAddress.Parse(place)),
    };
}
