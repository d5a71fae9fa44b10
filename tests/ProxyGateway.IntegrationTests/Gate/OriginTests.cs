namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Pages that connect: only those of listed origins and the gateway's own on loopback, and silently only where a rule says so.</summary>
public sealed class OriginTests(OriginTests.ListingGateway shared) : IClassFixture<OriginTests.ListingGateway>
{
    [Theory]
    [InlineData("localhost:{0}", "http://evil.example")]
    [InlineData("localhost:{0}", "null")]
    [InlineData("localhost:{0}", "http://127.0.0.1:{0}")]
    [InlineData("localhost:{0}", "https://localhost:{0}")]
    [InlineData("localhost:{0}", "http://localhost")]
    [InlineData("localhost:{0}", "http://localhost:1{0}")]
    [InlineData("localhost:{0}", "http://localhost:{0}/")]
    [InlineData("localhost:{0}", "http://localhost:{0}.evil.example")]
    [InlineData("localhost:{0}", " ")]
    [InlineData("localhost:{0}", "https://listed.example.evil")]
    [InlineData("localhost:{0}", "https://sub.listed.example")]
    [InlineData("localhost:{0}", "http://listed.example")]
    [InlineData("localhost:{0}", "https://listed.example:444")]
    [InlineData("localhost:{0}", "https://listed.example, http://evil.example")]
    [InlineData("localhost:{0}", "https://listed.example https://listed.example")]
    [InlineData("gateway.example:{0}", "http://gateway.example:{0}")] // a rebound name is its own origin
    [InlineData("localhost.:{0}", "http://localhost.:{0}")]
    [InlineData("127.1:{0}", "http://127.1:{0}")]
    public async Task A_page_of_a_foreign_origin_may_not_connect(string host, string origin)
    {
        string port = shared.Gateway.Port.ToString();
        await ShouldBeRefusedAsync(host.Replace("{0}", port, StringComparison.Ordinal), $"Origin: {origin.Replace("{0}", port, StringComparison.Ordinal)}");
    }

    [Fact]
    public Task Two_Origin_headers_are_refused() =>
        ShouldBeRefusedAsync($"localhost:{shared.Gateway.Port}", "Origin: https://listed.example", "Origin: https://listed.example");

    [Theory]
    [InlineData("localhost:{0}", "http://localhost:{0}")]
    [InlineData("LocalHost:{0}", "http://localhost:{0}")]
    [InlineData("127.0.0.1:{0}", "http://127.0.0.1:{0}")]
    [InlineData("[::1]:{0}", "http://[::1]:{0}")]
    [InlineData("localhost:{0}", "https://listed.example")]
    [InlineData("localhost:{0}", "HTTPS://LISTED.EXAMPLE")]
    [InlineData("gateway.example", "https://listed.example")]
    public async Task A_page_of_the_gateways_own_or_a_listed_origin_waits_for_an_operator(string host, string origin)
    {
        string port = shared.Gateway.Port.ToString();

        Encounter encounter = await Encounter.AskAsync(
            shared.Gateway, new TestDevice(), host: host.Replace("{0}", port, StringComparison.Ordinal),
            headers: $"Origin: {origin.Replace("{0}", port, StringComparison.Ordinal)}");

        await encounter.ShouldRequirePairingAsync("not-paired");
    }

    [Fact]
    public async Task A_rule_may_let_browsers_in_silently()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new()
        {
            ["DeviceAuth:Pairing:AutoApprove:pages:From:0"] = "loopback",
            ["DeviceAuth:Pairing:AutoApprove:pages:Reasons:0"] = "not-paired",
            ["DeviceAuth:Pairing:AutoApprove:pages:Browsers"] = "true",
        });

        await using Encounter encounter = await Encounter.AskAsync(gateway, new TestDevice(), headers: $"Origin: http://127.0.0.1:{gateway.Port}");

        await encounter.ShouldBeAdmittedAsync();
    }

    private async Task ShouldBeRefusedAsync(string host, params string[] headers)
    {
        int reached = shared.Gateway.Backend.Requests.Count;
        (int status, string head, Stream stream) = await TestClient.RequestAsync(shared.Gateway.Port, host: host, headers: headers);
        await stream.DisposeAsync();
        status.ShouldBe(403, head);
        head.ShouldContain("\r\nContent-Type: application/problem+json\r\n");
        shared.Gateway.Backend.Requests.Count.ShouldBe(reached);
        shared.Gateway.Log.Of(1201).ShouldNotBeEmpty();
    }

    public sealed class ListingGateway : SharedGateway
    {
        private protected override Dictionary<string, string?> Settings => new(Generous) { ["DeviceAuth:AllowedOrigins:0"] = "https://listed.example" };
    }
}
