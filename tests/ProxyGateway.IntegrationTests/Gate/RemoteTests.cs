using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.HttpOverrides;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>What loopback is allowed silently, nobody else is: not from elsewhere, and not from here with a sign of somebody behind it.</summary>
public sealed class RemoteTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    public static TheoryData<string> Signs =>
    [
        "Forwarded: for=127.0.0.1",
        "Forwarded:  ",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-For:  ",
        "x-forwarded-for: ::1",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: localhost",
        "X-Forwarded-Port: 80",
        "X-Forwarded-Prefix: /",
        "X-Forwarded-Anything: at all",
        "X-Forwarded: for=127.0.0.1",
        "X_Forwarded_For: 127.0.0.1",
        "X-Forwarded_For: 127.0.0.1",
        "X-Real-IP: 127.0.0.1",
        "X_Real_IP: 127.0.0.1",
        "Via: 1.1 proxy",
        "CF-Connecting-IP: 127.0.0.1",
        "CF-Ray: 1",
        "CF_Connecting_IP: 127.0.0.1",
        "True-Client-IP: 127.0.0.1",
        "TRUE-CLIENT-IP: 127.0.0.1",
        "Tailscale-User-Login: somebody@example.org",
        "Tailscale-Anything: at all",
        "X-Original-For: 127.0.0.1:50000",
        "X-Original-Proto: http",
        "X-Original-Host: localhost",
        "X-Original-Anything: at all",
        "X-Request-Id: 1",
        "X-Anything: at all",
        "User_Agent: curl",
    ];

    [Fact]
    public Task A_device_at_another_address_waits_for_an_operator() => ShouldNeverBeSilentAsync(shared.Gateway.RemotePort, "localhost");

    [Theory]
    [MemberData(nameof(Signs))]
    public Task A_request_with_a_header_of_a_proxy_waits_for_an_operator(string header) => ShouldNeverBeSilentAsync(shared.Gateway.Port, "localhost", header);

    [Theory]
    [InlineData("gateway.example.org")]
    [InlineData("192.0.2.1:8080")]
    public Task A_request_with_a_public_host_waits_for_an_operator(string host) => ShouldNeverBeSilentAsync(shared.Gateway.Port, host);

    [Fact]
    public async Task A_configured_header_indicates_no_proxy_unless_a_known_proxy_sends_it()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:RequestHeaders:0"] = "X-Local", ["DeviceAuth:RequestHeaders:1"] = "X-Real-IP" });

        await using Encounter local = await Encounter.AskAsync(gateway, new TestDevice(), host: "localhost", headers: ["X-Local: 1", "Authorization: Bearer 1", "Cookie: a=1"]);
        await local.ShouldBeAdmittedAsync();
        Encounter proxied = await Encounter.AskAsync(gateway, new TestDevice(), host: "localhost", headers: "X-Real-IP: 127.0.0.1");
        await proxied.ShouldRequirePairingAsync("not-paired");
        gateway.Log.Of(1214).ShouldBeEmpty();

        Encounter strange = await Encounter.AskAsync(gateway, new TestDevice(), host: "localhost", headers: $"X-{new string('y', 100)}: 1");
        await strange.ShouldRequirePairingAsync("not-paired");
        gateway.Log.Of(1214).ShouldHaveSingleItem().ShouldContain($" X-{new string('y', 62)}, ");
    }

    [Fact]
    public Task A_request_with_an_origin_waits_for_an_operator() =>
        ShouldNeverBeSilentAsync(shared.Gateway.Port, $"localhost:{shared.Gateway.Port}", $"Origin: http://localhost:{shared.Gateway.Port}");

    [Theory]
    [InlineData("localhost")]
    [InlineData("LOCALHOST")]
    [InlineData("localhost:1")]
    [InlineData("a.localhost")]
    [InlineData("a.b.LocalHost:80")]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.2")]
    [InlineData("127.255.255.254:443")]
    [InlineData("[::1]")]
    [InlineData("[::1]:8080")]
    [InlineData("[::ffff:127.0.0.1]")]
    public async Task A_host_that_can_only_be_this_machine_is_loopback(string host)
    {
        await using Encounter encounter = await Encounter.AskAsync(shared.Gateway, new TestDevice(), host: host);

        await encounter.ShouldBeAdmittedAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("localhost.")]
    [InlineData("localhost.evil.example")]
    [InlineData("xlocalhost")]
    [InlineData("local-host")]
    [InlineData("127.0.0.1.evil.example")]
    [InlineData("127.1")]
    [InlineData("127.0.1")]
    [InlineData("0x7f.1")]
    [InlineData("0x7f000001")]
    [InlineData("2130706433")]
    [InlineData("0177.0.0.1")]
    [InlineData("127.0.0.01")]
    [InlineData("0.0.0.0")]
    [InlineData("128.0.0.1")]
    [InlineData("[::1%1]")]
    [InlineData("[::]")]
    [InlineData("[::ffff:7f00:1]")]
    [InlineData("[0:0:0:0:0:0:0:1]")]
    [InlineData("::1")]
    [InlineData("user@localhost")]
    [InlineData("localhost/")]
    [InlineData("evil.example,localhost")]
    public async Task A_host_in_any_other_spelling_is_not_loopback(string host)
    {
        // Some of these the server does not take at all, and one the proxy cannot pass on.
        (int status, string head, Stream stream) = await TestClient.RequestAsync(shared.Gateway.Port, host: host);
        await stream.DisposeAsync();
        if (status != 101)
        {
            status.ShouldBe(host.Length == 0 ? 502 : 400, head);
            return;
        }

        await (await shared.Gateway.Backend.AcceptAsync()).Completion;
        Encounter encounter = await Encounter.AskAsync(shared.Gateway, new TestDevice(), host: host);
        await encounter.ShouldRequirePairingAsync("not-paired");
    }

    [Fact]
    public async Task Two_Host_headers_are_refused()
    {
        (int status, _, Stream stream) = await TestClient.RequestAsync(shared.Gateway.Port, host: "localhost", headers: ["Host: evil.example"]);
        await stream.DisposeAsync();
        status.ShouldBe(400);
    }

    [Fact]
    public async Task An_absolute_target_with_another_host_is_refused()
    {
        (int status, _, Stream stream) = await TestClient.RequestAsync(
            shared.Gateway.Port, host: "localhost", requestLine: "GET http://evil.example/ HTTP/1.1");
        await stream.DisposeAsync();
        status.ShouldBe(400);
    }

    [Fact]
    public async Task Middleware_that_rewrites_the_address_changes_nothing()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(before: app => app.Use((context, next) =>
        {
            bool isRemote = context.Connection.LocalPort == 0;
            context.Connection.RemoteIpAddress = isRemote ? IPAddress.Loopback : TestGateway.RemoteAddress;
            return next(context);
        }));

        Encounter remote = await Encounter.AskAsync(gateway, new TestDevice(), port: gateway.RemotePort, host: "localhost");
        await remote.ShouldRequirePairingAsync("not-paired");
        await using Encounter local = await Encounter.AskAsync(gateway, new TestDevice(), host: "localhost");
        await local.ShouldBeAdmittedAsync();
    }

    [Fact]
    public async Task Middleware_that_takes_the_proxys_headers_for_itself_does_not_hide_the_proxy()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(before: app =>
            app.UseForwardedHeaders(new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto }));

        Encounter encounter = await Encounter.AskAsync(
            gateway, new TestDevice(), host: "localhost", headers: ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: http"]);

        await encounter.ShouldRequirePairingAsync("not-paired");
    }

    private async Task ShouldNeverBeSilentAsync(int port, string host, params string[] headers)
    {
        TestGateway gateway = shared.Gateway;
        var device = new TestDevice();
        foreach ((Ask ask, string reason) in ((Ask, string)[])
        [
            (new Ask { Scopes = ["operator.read"] }, "not-paired"),
            (new Ask { Scopes = ["operator.write"] }, "scope-upgrade"),
            (new Ask { Role = "node", Scopes = [] }, "role-upgrade"),
        ])
        {
            Encounter refused = await Encounter.AskAsync(gateway, device, ask, port, host, headers);
            string request = await refused.ShouldRequirePairingAsync(reason);

            (await gateway.ApproveAsync(request)).ShouldNotBeNull();

            await using Encounter admitted = await Encounter.AskAsync(gateway, device, ask, port, host, headers);
            await admitted.ShouldBeAdmittedAsync();
        }
    }
}
