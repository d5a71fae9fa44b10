using System.Collections.Immutable;
using System.Net;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>Open requests are shared: a stranger with any number of addresses cannot take all of them.</summary>
public abstract partial class DeviceStoreContract
{
    [Theory]
    [InlineData("192.0.2.1", "192.0.2.2", "192.0.2.255", "192.0.3.1")]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:1:ffff::1", "2001:db8:2::1")]
    public async Task Addresses_of_one_subnet_share_its_requests(string first, string second, string third, string elsewhere)
    {
        PairingRules rules = Some.Rules with { Limits = new PendingLimits(InAll: 100, PerAddress: 2) { PerSubnet = 3 } };
        await AskAsync(Some.Claim(), rules, first);
        await AskAsync(Some.Claim(), rules, first);
        PairingRequest last = await AskAsync(Some.Claim(), rules, second);

        (await Registry.AdmitAsync(Some.Claim(), Some.Origin with { Address = third }, rules, None)).ShouldBeOfType<Admission.TooManyRequests>();
        await AskAsync(Some.Claim(), rules, elsewhere);

        await Registry.RejectAsync(last.Id, Some.Operator, rules, None);
        await AskAsync(Some.Claim(), rules, third);
        (await Registry.AdmitAsync(Some.Claim(), Some.Origin with { Address = second }, rules, None)).ShouldBeOfType<Admission.TooManyRequests>();
    }

    [Fact]
    public async Task Strangers_with_any_number_of_addresses_leave_room_for_others()
    {
        var office = new AutoApproveRule { Name = "office", FromNetworks = [IPNetwork.Parse("10.0.0.0/8")], Reasons = [PairingReason.ScopeUpgrade] };
        PairingRules rules = new DeviceAuthOptions { MaxPendingRequests = 40, Policy = new PairingPolicy { AutoApprove = [office] } }.PairingRules;
        DeviceClaim paired = Some.Claim("operator", "operator.read");
        await PairAsync(paired);

        (await FillAsync(i => $"198.{i}.0.1")).ShouldBe(20, "a half, whoever they are");
        (await FillAsync(i => $"10.{i}.0.1")).ShouldBe(10, "a quarter for networks that rules name");
        await AskAsync(paired.Asking("node"), rules, "198.0.0.1"); // an attacker cannot make up such a device, at any address
        (await FillAsync(_ => "127.0.0.1")).ShouldBe(9, "what is left");
        (await ListOpenAsync(pageSize: 100)).Count.ShouldBe(40);

        async Task<int> FillAsync(Func<int, string> address)
        {
            for (int asked = 0; ; asked++)
            {
                if (await Registry.AdmitAsync(Some.Claim(), From(address(asked)), rules, None) is not Admission.Refused)
                    return asked;
            }
        }
    }

    [Fact]
    public async Task Devices_that_a_rule_pairs_for_the_asking_leave_room_for_others()
    {
        PairingRules rules = RulesThatPairNodes(pending: 40);
        DeviceClaim known = Some.Claim("operator", "operator.read");
        await PairAsync(known);
        DeviceClaim subagent = Some.Claim("node");
        await PairByRuleAsync(subagent, "127.0.0.1", rules);

        (await FillAsync(i => $"198.{i}.0.1")).ShouldBe(20, "a half, with keys that were paired in the network and taken elsewhere");
        (await FillAsync(i => $"10.{i}.0.1")).ShouldBe(10, "a quarter for the network itself");
        (await Registry.AdmitAsync(Some.Claim(), From("10.0.0.2"), rules, None)).ShouldBeOfType<Admission.TooManyRequests>("new devices are in the same share");
        await AskAsync(known.Asking("node", "camera"), rules, "198.0.0.1");
        (await Registry.AdmitAsync(subagent.Asking("operator", "operator.admin"), From("127.0.0.1"), rules, None)).ShouldBeOfType<Admission.Refused>();
        (await FillAsync(_ => "127.0.0.1")).ShouldBe(8, "what is left");

        async Task<int> FillAsync(Func<int, string> address)
        {
            for (int asked = 0; ; asked++)
            {
                DeviceClaim claim = Some.Claim("node");
                string from = address(asked);
                await PairByRuleAsync(claim, from.StartsWith("198.", StringComparison.Ordinal) ? "10.0.0.1" : from, rules);
                if (await Registry.AdmitAsync(claim.Asking("operator", "operator.admin"), From(from), rules, None) is not Admission.Refused)
                    return asked;
            }
        }
    }

    [Fact]
    public async Task A_request_keeps_its_share_when_an_operator_approves_its_device()
    {
        PairingRules rules = RulesThatPairNodes(pending: 12); // three for the network
        DeviceClaim claim = Some.Claim("node");
        await PairByRuleAsync(claim, "10.0.0.1", rules);
        PairingRequest approved = await FromNetworkAsync(claim.Asking("operator", "operator.read"));
        PairingRequest open = await FromNetworkAsync(claim.Asking("operator", "operator.admin"));
        await FromNetworkAsync(Some.Claim());
        (await Registry.AdmitAsync(Some.Claim(), From("10.3.0.1"), rules, None)).ShouldBeOfType<Admission.TooManyRequests>();

        await Registry.ApproveAsync(approved.Id, scopes: null, Some.Operator, rules, None);
        await FromNetworkAsync(Some.Claim());
        (await Registry.AdmitAsync(Some.Claim(), From("10.3.0.1"), rules, None)).ShouldBeOfType<Admission.TooManyRequests>("one place has come back, and the other request keeps its own");
        (await FromNetworkAsync(claim.Asking("operator", "operator.admin"))).Id.ShouldBe(open.Id);
        await FromNetworkAsync(claim.Asking("operator", "operator.write")); // now an operator's device, and no stranger

        await Registry.RejectAsync(open.Id, Some.Operator, rules, None);
        await FromNetworkAsync(Some.Claim());
        (await Registry.AdmitAsync(Some.Claim(), From("10.3.0.1"), rules, None)).ShouldBeOfType<Admission.TooManyRequests>("its place came back, and no more than that");

        async Task<PairingRequest> FromNetworkAsync(DeviceClaim asking) =>
            (await Registry.AdmitAsync(asking, From("10.2.0.1"), rules, None)).ShouldBeOfType<Admission.Refused>().Request;
    }

    [Fact]
    public async Task A_stranger_without_an_address_counts_as_well()
    {
        PairingRules rules = Some.Rules with { Limits = new PendingLimits(InAll: 100, PerAddress: 2) };
        await AskAsync(Some.Claim(), rules, address: null);
        await AskAsync(Some.Claim(), rules, address: null);

        (await Registry.AdmitAsync(Some.Claim(), Some.Origin, rules, None)).ShouldBeOfType<Admission.TooManyRequests>();
        (await Registry.AdmitAsync(Some.Claim(), Some.Loopback with { Address = null }, rules, None)).ShouldBeOfType<Admission.Refused>("a Unix socket is another place");
    }

    // Nodes of the office and of this machine are paired without an operator, with no scopes.
    private static PairingRules RulesThatPairNodes(int pending)
    {
        var nodes = new AutoApproveRule
        {
            Name = "nodes",
            FromLoopback = true,
            FromNetworks = [IPNetwork.Parse("10.0.0.0/8")],
            Reasons = [PairingReason.NotPaired],
            UpTo = ImmutableDictionary<string, ScopeSet>.Empty.Add("node", ScopeSet.Empty),
        };
        return new DeviceAuthOptions { MaxPendingRequests = pending, Policy = new PairingPolicy { AutoApprove = [nodes] } }.PairingRules;
    }

    private static ClaimOrigin From(string address)
    {
        IPAddress from = IPAddress.Parse(address);
        bool isLoopback = IPAddress.IsLoopback(from);
        return new ClaimOrigin(new Locality(isLoopback, isLoopback ? null : from), address, () => PeerUser.Unknown);
    }

    private async Task PairByRuleAsync(DeviceClaim claim, string address, PairingRules rules) =>
        (await Registry.AdmitAsync(claim, From(address), rules, None)).ShouldBeOfType<Admission.Admitted>().Rule.ShouldBe("nodes");
}
