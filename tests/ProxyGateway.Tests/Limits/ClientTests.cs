using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Limits;

/// <summary>From whose budgets a client takes.</summary>
public sealed class ClientTests
{
    private static readonly DeviceAuthOptions Options = new() { AllowedOrigins = ["https://Page.example", "https://other.example"] };

    // address, user, Origin; then the budgets with how much more they hold than one address, and the one that is the host's
    [Theory]
    [InlineData("192.0.2.1", null, null, "192.0.2.1*1", 0)]
    [InlineData("::ffff:192.0.2.1", null, null, "192.0.2.1*1", 0)]
    [InlineData("2001:db8:1:203:4:5:6:7", null, null, "2001:db8:1:203:4:5:6:7*1 2001:db8:1:203::/64*1 2001:db8:1:200::/56*4 2001:db8:1::/48*16", 1)]
    [InlineData("127.0.0.1", 1000, null, "loopback_user_1000*1 loopback*4", 0)]
    [InlineData("::1", null, null, "loopback_user_unknown*1 loopback*4", 0)]
    [InlineData(null, 0, null, "-_user_0*1 -*4", 0)]
    [InlineData("not an address", null, null, "not_an_address*1", 0)]
    [InlineData("192.0.2.1", null, "https://page.example", "192.0.2.1_https://Page.example*1", 0)]
    [InlineData("192.0.2.1", null, "https://evil.example", "192.0.2.1_other*1", 0)]
    [InlineData("192.0.2.1", null, "null", "192.0.2.1_other*1", 0)]
    [InlineData("192.0.2.1", null, "http://localhost:18789", "192.0.2.1_own*1", 0)]
    [InlineData("127.0.0.1", 1000, "http://localhost:18789", "loopback_user_1000_own*1 loopback_own*4", 0)]
    [InlineData("2001:db8::1", null, "null", "2001:db8::1_other*1 2001:db8::/64_other*1 2001:db8::/56_other*4 2001:db8::/48_other*16", 1)]
    public void A_client_takes_from_its_own_budget_and_from_those_of_its_neighbours(string? address, int? user, string? origin, string budgets, int host)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        (request.Scheme, request.Host) = ("http", new HostString("localhost:18789"));
        if (origin is not null)
            request.Headers.Origin = origin;
        var from = new ClaimOrigin(new Locality(IsLoopback: false), address, () => user is { } id ? PeerUser.Known((uint)id) : PeerUser.Unknown);

        Client client = Client.Of(from, request, Options);

        string.Join(' ', client.Keys.Select(k => $"{k.Name.Replace(' ', '_')}*{k.Multiple}")).ShouldBe(budgets);
        client.Host.ShouldBe(host);
    }

    [Theory]
    [InlineData("cross-site", "loopback user 1000 other")]
    [InlineData("same-origin", "loopback user 1000 own")]
    public void A_page_that_sends_no_origin_does_not_take_from_the_budget_of_programs(string site, string budget)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        request.Headers["Sec-Fetch-Site"] = site;
        var from = new ClaimOrigin(new Locality(IsLoopback: true), "127.0.0.1", () => PeerUser.Known(1000));

        Client.Of(from, request, Options).Keys[0].Name.ShouldBe(budget);
    }

    // The keys that paired devices were admitted from, a budget, and what of four a client may use of it.
    [Theory]
    [InlineData(0b000, 0, 4)]
    [InlineData(0b000, 1, 4)]
    [InlineData(0b001, 0, 4)]
    [InlineData(0b001, 1, 4)]
    [InlineData(0b010, 1, 3)]
    [InlineData(0b011, 1, 4)]
    [InlineData(0b100, 2, 3)]
    [InlineData(0b101, 2, 3)]
    [InlineData(0b110, 2, 4)]
    public void A_quarter_of_a_shared_budget_is_kept_for_the_part_that_paired_devices_come_from(uint bits, int key, int share) =>
        new Familiarity(bits).ShareOf(key, limit: 4).ShouldBe(share);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 3)]
    [InlineData(4, 3)]
    [InlineData(8, 6)]
    [InlineData(1000, 750)]
    public void A_quarter_is_rounded_down(int limit, int left) => Familiarity.WithoutKept(limit).ShouldBe(left);
}
