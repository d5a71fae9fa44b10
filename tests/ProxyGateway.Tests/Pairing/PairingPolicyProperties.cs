using System.Collections.Immutable;
using System.Net;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.Pairing;
using static ProxyGateway.Tests.Pairing.PolicyCases;

namespace ProxyGateway.Tests.Pairing;

/// <summary>What holds of the policy whatever the rules, the record and the claim.</summary>
[Properties(Arbitrary = [typeof(Cases)], MaxTest = 500)]
public sealed class PairingPolicyProperties
{
    [Property]
    public bool The_order_of_rules_never_matters(Case c, int seed)
    {
        AutoApproveRule[] shuffled = [.. c.Policy.AutoApprove];
        new Random(seed).Shuffle(shuffled);
        return Kind(c.Policy, c) == Kind(c.Policy with { AutoApprove = [.. shuffled] }, c);
    }

    [Property]
    public bool Another_rule_only_ever_widens(Case c, AutoApproveRule rule)
    {
        int before = Width(Kind(c.Policy, c));
        int after = Width(Kind(c.Policy with { AutoApprove = c.Policy.AutoApprove.Add(rule) }, c));
        return after >= before;

        static int Width(string kind) => kind.Split(' ')[0] switch { "pair" => 0, "look" => 1, "approve" => 2, _ => 3 };
    }

    [Property]
    public bool Admission_and_coverage_are_the_same(Case c) =>
        c.Policy.Decide(c.Record, c.Claim, c.Locality) is PairingDecision.Admit == c.Policy.Uncovered(c.Record, c.Claim) is null;

    [Property]
    public bool An_admitted_claim_has_the_role_and_every_scope(Case c) =>
        c.Policy.Decide(c.Record, c.Claim, c.Locality) is not PairingDecision.Admit
        || (c.Record!.Grants.TryGetValue(c.Claim.Key, out Grant? grant)
            && c.Policy.Implications.Covers(c.Claim.Role, grant.Scopes ?? ScopeSet.Empty, c.Claim.Scopes));

    [Property]
    public bool The_default_policy_approves_no_role_upgrade_and_nothing_beyond_loopback(Case c) =>
        PairingPolicy.Default.Decide(c.Record, c.Claim, c.Locality) is not PairingDecision.AutoApprove approve
        || (approve.Reason != PairingReason.RoleUpgrade && c.Locality is { IsLoopback: true, IsBrowser: false });

    [Property]
    public bool No_rule_approves_what_an_operator_has_refused(Case c) =>
        c.Record?.Refusals?.Covers(c.Claim.Role) != true
        || c.Policy.Decide(c.Record, c.Claim, c.Locality) is PairingDecision.Admit or PairingDecision.RequirePairing;

    [Property]
    public bool A_rule_that_names_users_is_for_loopback_only(Case c)
    {
        PairingPolicy policy = c.Policy with { AutoApprove = [.. c.Policy.AutoApprove.Select(r => r with { Users = r.Users ?? [0] })] };
        return c.Locality.IsLoopback
            || policy.Decide(c.Record, c.Claim, c.Locality) is PairingDecision.Admit or PairingDecision.RequirePairing;
    }

    [Property]
    public bool After_looking_up_the_peer_the_decision_is_final(Case c, uint user) =>
        c.Policy.Decide(c.Record, c.Claim, c.Locality with { Peer = PeerUser.Known(user % 3) }) is not PairingDecision.LookUpPeerUser
        && c.Policy.Decide(c.Record, c.Claim, c.Locality with { Peer = PeerUser.Unknown }) is not PairingDecision.LookUpPeerUser;

    [Property]
    public bool An_approved_claim_is_covered_from_then_on(Case c)
    {
        if (c.Policy.Decide(c.Record, c.Claim, c.Locality) is not PairingDecision.AutoApprove)
            return true;
        DeviceRecord record = c.Record ?? Nothing;
        DeviceRecord approved = record.And(c.Claim.Role, [.. record.ScopesOf(c.Claim.Role), .. c.Claim.Scopes]);
        return c.Policy.Decide(approved, c.Claim, Elsewhere) is PairingDecision.Admit;
    }

    // Which of several matching rules is named is of no consequence.
    private static string Kind(PairingPolicy policy, Case c) => policy.Decide(c.Record, c.Claim, c.Locality) switch
    {
        PairingDecision.AutoApprove approve => "approve " + approve.Reason,
        PairingDecision.RequirePairing require => "pair " + require.Reason,
        PairingDecision.LookUpPeerUser => "look up",
        _ => "admit",
    };

    /// <summary>A policy and what it has to decide.</summary>
    public sealed record Case(PairingPolicy Policy, DeviceRecord? Record, DeviceClaim Claim, Locality Locality);

    /// <summary>Cases from few roles, scopes and places, so that they often meet.</summary>
    private static class Cases
    {
        private static readonly string[] Roles = ["operator", "node"];
        private static readonly string[] Scopes = ["operator.read", "operator.write", "operator.admin", "camera"];

        private static readonly Gen<bool> Flags = Gen.Elements(true, false);
        private static readonly Gen<string> RoleNames = Gen.Elements(Roles);
        private static readonly Gen<ScopeSet> ScopeSets = Gen.SubListOf(Scopes).Select(s => ScopeSet.Of(s));

        private static readonly Gen<Grant> Grants =
            from scopes in ScopeSets
            from none in Gen.Frequency((1, Gen.Constant(true)), (4, Gen.Constant(false)))
            select new Grant { Scopes = none ? null : scopes, ApprovedAt = default };

        private static readonly Gen<RefusalMarks?> Refusals =
            from any in Flags
            from whole in Flags
            from roles in Gen.SubListOf(Roles)
            from cleared in Gen.SubListOf(Roles)
            select any ? new RefusalMarks { At = default, WholeDevice = whole, Roles = DefaultAudience.Roles(roles), Cleared = DefaultAudience.Roles(cleared) } : null;

        private static readonly Gen<DeviceRecord?> Records =
            from absent in Gen.Frequency((1, Gen.Constant(true)), (5, Gen.Constant(false)))
            from roles in Gen.SubListOf(Roles)
            from grants in Grants.ArrayOf(Roles.Length)
            from refusals in Refusals
            from legacy in Flags
            select absent ? null : Nothing with
            {
                Grants = Nothing.Grants.AddRange(roles.Select(DefaultAudience.InDefault).Zip(grants, KeyValuePair.Create)),
                Refusals = refusals,
                Legacy = legacy,
            };

        private static readonly Gen<Locality> Localities =
            from place in Gen.Elements("loopback", "10.1.2.3", "203.0.113.7", "unknown")
            from browser in Flags
            from peer in Gen.Elements(default, PeerUser.Unknown, PeerUser.Known(0), PeerUser.Known(1))
            select new Locality(place == "loopback", IPAddress.TryParse(place, out IPAddress? address) ? address : null, browser, peer);

        private static readonly Gen<AutoApproveRule> RuleGen =
            from name in Gen.Elements("a", "b", "c")
            from loopback in Flags
            from any in Flags
            from network in Flags
            from reasons in Gen.SubListOf(Enum.GetValues<PairingReason>())
            from limited in Flags
            from upTo in ScopeSets
            from role in RoleNames
            from users in Gen.Elements<ImmutableArray<uint>?>(null, [0], [1, 2])
            from browsers in Flags
            select new AutoApproveRule
            {
                Name = name,
                FromLoopback = loopback,
                FromAny = any,
                FromNetworks = network ? [IPNetwork.Parse("10.0.0.0/8")] : [],
                Reasons = [.. reasons],
                UpTo = limited ? ImmutableDictionary<string, ScopeSet>.Empty.Add(role, upTo) : null,
                Users = users,
                Browsers = browsers,
            };

        public static Arbitrary<AutoApproveRule> Rules() => RuleGen.ToArbitrary();

        public static Arbitrary<Case> Arbitrary() => (
            from rules in RuleGen.ListOf()
            from legacy in Gen.Elements(Enum.GetValues<LegacyDevices>())
            from record in Records
            from role in RoleNames
            from scopes in ScopeSets
            from locality in Localities
            select new Case(
                new PairingPolicy { AutoApprove = [.. rules], LegacyDevices = legacy }, record, Asks(role, [.. scopes]), locality)).ToArbitrary();
    }
}
