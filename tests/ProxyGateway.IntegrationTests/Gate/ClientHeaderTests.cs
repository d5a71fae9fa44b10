using Microsoft.AspNetCore.Http;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>What a client says of who it is, or of whom it forwards for, does not reach the backend; what the gateway says does.</summary>
public sealed class ClientHeaderTests
{
    private const string Forged = "203.0.113.99";

    [Theory]
    [InlineData("X-Forwarded-For")]
    [InlineData("x_forwarded_for")]
    [InlineData("X_Forwarded-Host")]
    [InlineData("X-Forwarded-User")]
    [InlineData("X-Forwarded-Port")]
    [InlineData("Forwarded")]
    [InlineData("X-Real-IP")]
    [InlineData("X_REAL_IP")]
    [InlineData("True-Client-IP")]
    [InlineData("CF-Connecting-IP")]
    [InlineData("Via")]
    [InlineData("Tailscale-User-Login")]
    [InlineData("Tailscale_User_Login")]
    [InlineData("X-OpenClaw-Scopes")]
    [InlineData("x_openclaw_scopes")]
    [InlineData("Remote-User")]
    [InlineData("remote_user")]
    [InlineData("X-Remote-User")]
    [InlineData("X-Auth-Request-User")]
    [InlineData("X-Device-Id")]
    public async Task A_client_does_not_say_who_it_is(string header)
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        foreach (string host in (string[])["localhost", "gateway.example.org"])
        {
            await using Encounter encounter = await Encounter.OpenAsync(gateway, host: host, headers: [$"{header}: {Forged}", "X-Other: kept", "Authorization: Bearer kept"]);

            IHeaderDictionary received = encounter.Backend.Request!.Request.Headers;
            received.SelectMany(h => h.Value.ToArray()).ShouldAllBe(v => !v!.Contains(Forged, StringComparison.Ordinal));
            received["X-Other"].ToString().ShouldBe("kept");
            received.Authorization.ToString().ShouldBe("Bearer kept");

            // YARP's own are set after that.
            received["X-Forwarded-For"].ToString().ShouldBe("127.0.0.1");
            received["X-Forwarded-Host"].ToString().ShouldBe(host);
        }
    }

    [Fact]
    public async Task Where_plain_HTTP_is_allowed_the_same_holds()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(metadata: new() { ["DeviceAuth.Http"] = "Allow" });
        var received = new TaskCompletionSource<string>();
        gateway.Backend.Http = context =>
        {
            received.SetResult(string.Join('\n', context.Request.Headers.Select(h => $"{h.Key}: {h.Value}")));
            return Task.CompletedTask;
        };
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://localhost:{gateway.Port}/");
        request.Headers.TryAddWithoutValidation("X_OpenClaw_Scopes", Forged);
        request.Headers.TryAddWithoutValidation("X-Forwarded-For", Forged);

        using HttpResponseMessage answer = await client.SendAsync(request);

        answer.IsSuccessStatusCode.ShouldBeTrue();
        (await received.Task).ShouldNotContain(Forged);
        (await received.Task).ShouldContain("X-Forwarded-For: 127.0.0.1");
    }

    [Fact]
    public async Task A_trusted_proxy_may_say_whom_it_forwards_for_and_nothing_else()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(
            new() { ["DeviceAuth:TrustedProxies:0"] = "127.0.0.1" },
            transforms: [new Dictionary<string, string> { ["X-Forwarded"] = "Append" }]);
        await using Encounter encounter = await Encounter.OpenAsync(
            gateway, headers: ["X-Forwarded-For: 198.51.100.1", $"X_Forwarded_For: {Forged}", $"X-Real-IP: {Forged}", $"X-OpenClaw-Scopes: {Forged}"]);

        IHeaderDictionary received = encounter.Backend.Request!.Request.Headers;
        received["X-Forwarded-For"].ToString().Replace(" ", "").ShouldBe("198.51.100.1,127.0.0.1");
        received.SelectMany(h => h.Value.ToArray()).ShouldAllBe(v => !v!.Contains(Forged, StringComparison.Ordinal));
    }
}
