namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>CIDR rules go by the address that trusted proxies vouch for, and by nothing that a client says of itself.</summary>
public sealed class TrustedProxyTests(TrustedProxyTests.BehindProxies shared) : IClassFixture<TrustedProxyTests.BehindProxies>
{
    private const string Inside = "198.51.100.5";
    private const string Outside = "192.0.2.5";

    public static TheoryData<string[]> Believed => new(
    [
        [$"X-Forwarded-For: {Inside}"],
        [$"X-Forwarded-For: {Outside}, {Inside}"],
        [$"X-Forwarded-For: {Inside}, 10.1.1.1"],
        [$"X-Forwarded-For: {Inside},10.1.1.1 , 203.0.113.7"],
        [$"X-Forwarded-For: not-an-address, {Inside}"],
        [$"X-Forwarded-For: {Inside}:1234"],
        [$"X-Forwarded-For: ::ffff:{Inside}"],
        [$"X-Forwarded-For: [::ffff:{Inside}]:1234"],
        [$"X-Forwarded-For: {Outside}", $"X-Forwarded-For: {Inside}"],
        [$"X-Forwarded-For: {Inside}", "X-Forwarded-For: 10.1.1.1"],
        [$"X-Forwarded-For: {Inside}", "Forwarded: for=192.0.2.5", "X-Real-IP: 192.0.2.5"],
        ["X-Forwarded-For: 2001:db8::5"],
        ["X-Forwarded-For: [2001:db8::5]:443"],
    ]);

    public static TheoryData<string[]> NotBelieved => new(
    [
        [],
        [$"X-Forwarded-For: {Outside}"],
        [$"X-Forwarded-For: {Inside}, {Outside}"],
        [$"X-Forwarded-For: {Inside}, {Outside}, 10.1.1.1"],
        [$"X-Forwarded-For: {Inside}, not-an-address"],
        [$"X-Forwarded-For: {Inside}, unknown, 10.1.1.1"],
        [$"X-Forwarded-For: {Inside},"],
        [$"X-Forwarded-For: {Inside},,10.1.1.1"],
        ["X-Forwarded-For:  "],
        ["X-Forwarded-For: 10.1.1.1"],
        ["X-Forwarded-For: 10.1.1.1, 203.0.113.7"],
        ["X-Forwarded-For: 127.0.0.1"],
        ["X-Forwarded-For: ::1"],
        [$"X-Forwarded-For: {Inside}", $"X-Forwarded-For: {Outside}"],
        [$"X_Forwarded_For: {Inside}"],
        [$"Forwarded: for={Inside}"],
        [$"X-Real-IP: {Inside}"],
    ]);

    [Theory]
    [MemberData(nameof(Believed))]
    public async Task The_rightmost_forwarded_address_that_is_no_trusted_proxy_is_the_clients(string[] headers)
    {
        await using Encounter encounter = await Encounter.AskAsync(
            shared.Gateway, new TestDevice(), port: shared.Gateway.RemotePort, host: "gateway.example.org", headers: headers);

        await encounter.ShouldBeAdmittedAsync();
    }

    [Theory]
    [MemberData(nameof(NotBelieved))]
    public async Task An_address_that_a_client_claims_for_itself_does_not_count(string[] headers)
    {
        Encounter encounter = await Encounter.AskAsync(
            shared.Gateway, new TestDevice(), port: shared.Gateway.RemotePort, host: "gateway.example.org", headers: headers);

        await encounter.ShouldRequirePairingAsync("not-paired");
    }

    [Fact]
    public async Task Forwarding_headers_of_an_untrusted_peer_are_ignored()
    {
        Dictionary<string, string?> settings = new(shared.Trusting) { ["DeviceAuth:TrustedProxies:0"] = "203.0.113.8" };
        await using TestGateway gateway = await TestGateway.StartAsync(settings);

        Encounter encounter = await Encounter.AskAsync(gateway, new TestDevice(), port: gateway.RemotePort, headers: $"X-Forwarded-For: {Inside}");

        await encounter.ShouldRequirePairingAsync("not-paired");
    }

    [Fact]
    public async Task A_proxy_is_never_loopback_even_without_a_header()
    {
        Encounter encounter = await Encounter.AskAsync(shared.Gateway, new TestDevice(), host: "localhost");

        await encounter.ShouldRequirePairingAsync("not-paired");
    }

    /// <summary>Trusts the peers of both ports.</summary>
    public sealed class BehindProxies : SharedGateway
    {
        internal Dictionary<string, string?> Trusting => Settings;

        private protected override Dictionary<string, string?> Settings => new(Generous)
        {
            ["DeviceAuth:TrustedProxies:0"] = "203.0.113.7",
            ["DeviceAuth:TrustedProxies:1"] = "10.0.0.0/8",
            ["DeviceAuth:TrustedProxies:2"] = "127.0.0.1",
            ["DeviceAuth:Pairing:AutoApprove:here:From:0"] = "loopback",
            ["DeviceAuth:Pairing:AutoApprove:here:Reasons:0"] = "not-paired",
            ["DeviceAuth:Pairing:AutoApprove:net:From:0"] = "198.51.100.0/24",
            ["DeviceAuth:Pairing:AutoApprove:net:From:1"] = "2001:db8::/32",
            ["DeviceAuth:Pairing:AutoApprove:net:Reasons:0"] = "not-paired",
        };
    }
}
