using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>What a client says of who it is, or of whom it forwards for, does not reach the backend; what the gateway says does.</summary>
public sealed class ClientHeaderTests
{
    private const string Forged = "203.0.113.99";
    private const int AtOnce = 70; // the server takes 100 headers

    /// <summary>By which proxies say who somebody is, or whom they have seen; and other spellings.</summary>
    private static readonly string[] Identities =
    [
        "X-Forwarded-For", "x_forwarded_for", "X_Forwarded-Host", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username",
        "X-Forwarded-Access-Token", "X-Forwarded-Client-Cert", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded-Prefix", "Forwarded",
        "X-Real-IP", "X_REAL_IP", "True-Client-IP", "CF-Connecting-IP", "CF-Access-Authenticated-User-Email", "CF-Access-Client-Id", "Cf-Access-Jwt-Assertion", "Via",
        "Tailscale-User-Login", "Tailscale_User_Login", "X-OpenClaw-Scopes", "x_openclaw_scopes", "Remote-User", "remote_user", "Remote-Groups", "X-Remote-User", "X-Remote-Group",
        "X-Remote-Extra-Scopes", "X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-User", "X-Auth-Username", "X-Auth-Email", "X-Auth-Roles", "X-Authenticated-User",
        "X-Authentik-Username", "X-Device-Id", "X-User", "X-User-Id", "X-User-Email", "X-UserInfo", "X-Userinfo", "X-ID-Token", "X-Access-Token", "X-Username", "X-Email",
        "X-Roles", "X-Groups", "X-Scopes", "X-Tenant-Id", "X-Account-Id", "X-Consumer-Username", "X-Consumer-Id", "X-Credential-Identifier", "X-Anonymous-Consumer",
        "X-JWT-Assertion", "X-Jwt-Payload", "X-Pomerium-Jwt-Assertion", "X-Pomerium-Claim-Email", "X-Goog-Authenticated-User-Email", "X-Goog-Iap-Jwt-Assertion",
        "X-Endpoint-API-UserInfo", "X-Apigateway-Api-Userinfo", "X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Data", "X-Amzn-Oidc-Accesstoken", "X-Amzn-Mtls-Clientcert-Subject",
        "X-Ms-Client-Principal", "X-Ms-Client-Principal-Name", "X-Ms-Token-Aad-Id-Token", "X-Ms-User", "X-SSL-Client-S-DN", "X-SSL-Client-Verify", "SSL-Client-Subject-DN",
        "SSL_CLIENT_S_DN", "X-Client-DN", "X-Client-Cert", "Client-Cert", "X-Client-Verify", "X-Vouch-User", "X-Vouch-Idp-Claims-Email", "X-WebAuth-User", "X-Grafana-User",
        "X-Proxy-User", "X-Proxy-Remote-User", "OIDC_CLAIM_sub", "OIDC-Claim-Email", "REMOTE-ADDR", "Remote-Email", "Impersonate-User", "Impersonate-Group", "X-Token-Subject",
        "X-Envoy-Peer-Metadata", "X-Hasura-Role", "X-Hasura-User-Id", "X-Plex-Token", "From", "Sm-User", "Sm-Universalid", "Iv-User", "Iv-Groups", "X-Teleport-Login",
        "Proxy-Authorization", "Ngrok-Auth-User-Email", "X-Webauth-Groups", "X-Original-User", "X-Shibboleth-User", "Eppn", "Shib-Identity-Provider", "X-Client-IP",
    ];

    [Theory]
    [InlineData("localhost")]
    [InlineData("gateway.example.org")]
    public async Task Identity_headers_of_a_client_do_not_reach_the_backend(string host)
    {
        Identities.Length.ShouldBeGreaterThan(52);
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:AllowedOrigins:0"] = "http://localhost" });
        foreach (string[] identities in Identities.Chunk(AtOnce))
        {
            await using Encounter encounter = await Encounter.OpenAsync(
                gateway,
                host: host,
                headers:
                [
                    .. identities.Select(h => $"{h}: {Forged}"),
                    "User-Agent: a-client", "Origin: http://localhost", "Sec-WebSocket-Protocol: chat", "Authorization: Bearer kept", "Cookie: kept=1",
                ]);

            // YARP's own are set after that.
            Received(encounter).ShouldBe(
            [
                "Authorization: Bearer kept", "Connection: Upgrade", "Cookie: kept=1", $"Host: {gateway.Backend.Address[7..]}", "Origin: http://localhost",
                "Sec-WebSocket-Key", "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Version: 13", "Upgrade: websocket", "User-Agent: a-client",
                "X-Forwarded-For: 127.0.0.1", $"X-Forwarded-Host: {host}", "X-Forwarded-Proto: http",
            ]);
        }
    }

    [Fact]
    public async Task Configured_headers_pass_and_no_others()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:RequestHeaders:0"] = "X-Other" });

        await using Encounter encounter = await Encounter.OpenAsync(gateway, headers: ["x-other: 1", "X_Other: 2", "X-Other-Too: 3", "Authorization: Bearer 4", "Cookie: five=5"]);

        IHeaderDictionary received = encounter.Backend.Request!.Request.Headers;
        received["X-Other"].ToString().ShouldBe("1");
        received.Keys.ShouldNotContain("X_Other");
        received.Keys.ShouldNotContain("X-Other-Too");
        received.Keys.ShouldNotContain("Authorization");
        received.Keys.ShouldNotContain("Cookie");
    }

    [Fact]
    public async Task Identity_headers_of_plain_HTTP_do_not_reach_the_backend()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(metadata: new() { ["DeviceAuth.Http"] = "Allow" });
        var received = new TaskCompletionSource<string>();
        gateway.Backend.Http = context =>
        {
            received.SetResult(string.Join('\n', context.Request.Headers.Select(h => $"{h.Key}: {h.Value}")));
            return Task.CompletedTask;
        };
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://localhost:{gateway.Port}/") { Content = new StringContent("{}", new MediaTypeHeaderValue("application/json")) };
        foreach (string header in Identities.Take(AtOnce))
            request.Headers.TryAddWithoutValidation(header, Forged);
        (string, string)[] kept = [("Accept", "application/json"), ("If-None-Match", "\"1\""), ("Range", "bytes=0-1"), ("Authorization", "Bearer kept"), ("User-Agent", "a-client"), ("Referer", "http://localhost/a")];
        foreach ((string name, string value) in kept)
            request.Headers.TryAddWithoutValidation(name, value);

        using HttpResponseMessage answer = await client.SendAsync(request);

        answer.IsSuccessStatusCode.ShouldBeTrue();
        (await received.Task).ShouldNotContain(Forged);
        (await received.Task).ShouldContain("X-Forwarded-For: 127.0.0.1");
        (await received.Task).ShouldContain("Content-Type: application/json");
        foreach ((string name, string value) in kept)
            (await received.Task).ShouldContain($"{name}: {value}");
    }

    [Fact]
    public async Task A_trusted_proxy_may_send_forwarding_headers_and_no_others()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(
            new() { ["DeviceAuth:TrustedProxies:0"] = "127.0.0.1" },
            transforms: [new Dictionary<string, string> { ["X-Forwarded"] = "Append" }]);
        await using Encounter encounter = await Encounter.OpenAsync(
            gateway,
            host: "localhost",
            headers:
            [
                "X-Forwarded-For: 198.51.100.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: gateway.example.org", "X-Forwarded-Prefix: /agent", "X-Forwarded-Port: 443",
                .. Identities.Except(Trusted).Take(AtOnce).Select(h => $"{h}: {Forged}"),
            ]);

        Received(encounter).ShouldBe(
        [
            "Connection: Upgrade", $"Host: {gateway.Backend.Address[7..]}", "Sec-WebSocket-Key", "Sec-WebSocket-Version: 13", "Upgrade: websocket",
            "X-Forwarded-For: 198.51.100.1, 127.0.0.1", "X-Forwarded-Host: gateway.example.org, localhost", "X-Forwarded-Port: 443", "X-Forwarded-Prefix: /agent", "X-Forwarded-Proto: https, http",
        ]);
    }

    private static readonly string[] Trusted = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix"];

    // What the proxy adds of its own where something is traced is left out.
    private static string[] Received(Encounter encounter) =>
    [
        .. encounter.Backend.Request!.Request.Headers
            .Where(h => !h.Key.StartsWith("trace", StringComparison.OrdinalIgnoreCase))
            .Select(h => h.Key == "Sec-WebSocket-Key" ? h.Key : $"{h.Key}: {string.Join(", ", h.Value.ToArray())}")
            .Order(StringComparer.OrdinalIgnoreCase),
    ];
}
