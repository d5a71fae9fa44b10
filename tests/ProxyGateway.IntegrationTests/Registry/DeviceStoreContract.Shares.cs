using System.Net;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>Open requests are shared out: nobody takes all of them, however many addresses they have.</summary>
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
        Claim paired = Some.Claim("operator", "operator.read");
        await PairAsync(paired);

        (await FillAsync(i => $"198.{i}.0.1")).ShouldBe(20, "a half, whoever they are");
        (await FillAsync(i => $"10.{i}.0.1")).ShouldBe(10, "a quarter for networks that rules name");
        await AskAsync(paired.Asking("node"), rules, "198.0.0.1"); // it cannot be made up, wherever it is
        (await FillAsync(_ => "127.0.0.1")).ShouldBe(9, "what is left");
        (await ListOpenAsync(pageSize: 100)).Count.ShouldBe(40);

        async Task<int> FillAsync(Func<int, string> address)
        {
            for (int asked = 0; ; asked++)
            {
                IPAddress from = IPAddress.Parse(address(asked));
                bool isLoopback = IPAddress.IsLoopback(from);
                var origin = new ClaimOrigin(new Locality(isLoopback, isLoopback ? null : from), from.ToString(), () => PeerUser.Unknown);
                if (await Registry.AdmitAsync(Some.Claim(), origin, rules, None) is not Admission.Refused)
                    return asked;
            }
        }
    }

    [Fact]
    public async Task Who_has_no_address_counts_all_the_same()
    {
        PairingRules rules = Some.Rules with { Limits = new PendingLimits(InAll: 100, PerAddress: 2) };
        await AskAsync(Some.Claim(), rules, address: null);
        await AskAsync(Some.Claim(), rules, address: null);

        (await Registry.AdmitAsync(Some.Claim(), Some.Origin, rules, None)).ShouldBeOfType<Admission.TooManyRequests>();
        (await Registry.AdmitAsync(Some.Claim(), Some.Loopback with { Address = null }, rules, None)).ShouldBeOfType<Admission.Refused>("a Unix socket is another place");
    }
}
