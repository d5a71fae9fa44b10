using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using ProxyGateway.DeviceAuth;
using ProxyGateway.Tests.Shared;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>What is refused before anything is opened: the backend never hears of it.</summary>
public sealed class DoorTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    private const string Key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    private static readonly string[] Plain = ["Connection: close", "Upgrade:", "Sec-WebSocket-Version:", "Sec-WebSocket-Key:"];

    private static readonly string[][] NotWebSockets =
    [
        ["Upgrade: spdy/3.1"],
        ["Upgrade: h2c"],
        ["Upgrade: TLS/1.0"],
        ["Upgrade: websocket, foo"],
        ["Upgrade: foo, websocket"],
        ["Upgrade: websocket", "Upgrade: websocket"],
        ["Upgrade: websocket", "Upgrade: foo"],
        ["Upgrade: websocket/13"],
        ["Upgrade: web socket"],
        ["Upgrade:"],
        ["Connection: keep-alive"],
        ["Connection:"],
        ["Sec-WebSocket-Key:"],
        ["Sec-WebSocket-Key: "],
        ["Sec-WebSocket-Key: key"],
        ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"],
        ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="],
        ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA"],
        ["Sec-WebSocket-Key: dGhlIHNh bXBsZSBub25jZQ=="],
        ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!=="],
        [Key, Key],
    ];

    public static TheoryData<string[]> OtherUpgrades => new(NotWebSockets);

    public static TheoryData<string[]> OtherVersions => new(
    [
        ["Sec-WebSocket-Version:"],
        ["Sec-WebSocket-Version: 8"],
        ["Sec-WebSocket-Version: 013"],
        ["Sec-WebSocket-Version: 13, 8"],
        ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"],
    ]);

    // A flood of strangers is not to pay for a counter that nobody reads.
    [Fact]
    public async Task A_refusal_looks_up_nothing_to_be_counted_while_nobody_listens()
    {
        var metadata = new CountedLookups(DeviceAuthDefaults.AudienceMetadata);
        await using TestGateway gateway = await TestGateway.StartAsync(
            routes: [new RouteConfig { RouteId = "agent", ClusterId = "agent", Match = new RouteMatch { Path = "/{**path}" }, Metadata = metadata }]);
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{gateway.Port}") };
        int before = metadata.Count;

        (await client.GetAsync("/")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        metadata.Count.ShouldBe(before);
        using var measured = new Measured(gateway.Meters);
        (await client.GetAsync("/")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);

        metadata.Count.ShouldBe(before + 1);
        measured.Of("proxygateway.handshakes.completed route=agent handshake=ConnectFrame audience=default outcome=request-refused").ShouldBe(1);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    [InlineData("DELETE")]
    [InlineData("OPTIONS")]
    [InlineData("TRACE")]
    [InlineData("PROPFIND")]
    public async Task Plain_HTTP_does_not_pass(string method) =>
        await ShouldBeRefusedAsync(shared.Gateway, 403, "http-refused", [.. Plain, "Content-Length: 0"], $"{method} /anything HTTP/1.1");

    [Theory]
    [MemberData(nameof(OtherUpgrades))]
    public async Task Only_a_well_formed_WebSocket_upgrade_passes(string[] headers) =>
        await ShouldBeRefusedAsync(shared.Gateway, 403, "upgrade-refused", headers);

    [Fact]
    public async Task Only_a_GET_can_be_an_upgrade() =>
        await ShouldBeRefusedAsync(shared.Gateway, 403, "upgrade-refused", [], "POST / HTTP/1.1");

    [Theory]
    [MemberData(nameof(OtherVersions))]
    public async Task Only_version_13_passes(string[] headers)
    {
        string head = await ShouldBeRefusedAsync(shared.Gateway, 426, "websocket-version", headers);

        head.ShouldContain("\r\nSec-WebSocket-Version: 13\r\n");
    }

    [Fact]
    public async Task Allowed_HTTP_passes_and_other_upgrades_do_not()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:HttpRequests"] = "Allow" });

        (await GetAsync(gateway)).ShouldBe(200);
        gateway.Backend.Requests.ShouldHaveSingleItem();
        gateway.Backend.Requests.Clear();
        foreach (string[] headers in NotWebSockets)
        {
            await ShouldBeRefusedAsync(gateway, 403, "upgrade-refused", headers);
        }

        await ShouldBeRefusedAsync(gateway, 403, "upgrade-refused", [], "POST / HTTP/1.1");
        await ShouldBeRefusedAsync(gateway, 426, "websocket-version", ["Sec-WebSocket-Version: 8"]);
        Encounter gated = await Encounter.AskAsync(gateway, new TestDevice(), new Ask { Nonce = "another" });
        await gated.ShouldBeClosedAsync(1008, "device nonce mismatch");
    }

    [Theory]
    [InlineData("Deny", "Allow", 200)]
    [InlineData("Allow", "Deny", 403)]
    public async Task A_routes_metadata_decides_about_plain_HTTP(string everywhere, string here, int status)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(
            new() { ["DeviceAuth:HttpRequests"] = everywhere }, new() { ["DeviceAuth.Http"] = here });

        (await GetAsync(gateway)).ShouldBe(status);
    }

    [Fact]
    public async Task A_route_that_is_switched_off_is_open()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(metadata: new() { ["DeviceAuth"] = "Off" });
        gateway.Backend.Script = TestBackend.AnswerAsync;

        (await GetAsync(gateway)).ShouldBe(200);
        await using FrameConnection client = await TestClient.OpenAsync(gateway.Port, headers: "Origin: http://anywhere.example");
        await client.SendTextAsync("""{"id":"1"}""");
        (await client.ReceiveJsonAsync()).GetProperty("ok").GetBoolean().ShouldBeTrue();
        (int status, _, Stream stream) = await TestClient.RequestAsync(gateway.Port, headers: ["Upgrade: spdy/3.1"]);
        await stream.DisposeAsync();
        status.ShouldBe(101);
    }

    [Fact]
    public async Task Over_HTTP2_only_extended_CONNECT_for_WebSockets_passes()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(kestrel: o => o.ListenLocalhost2());
        using var client = new HttpClient();
        var address = new Uri($"http://127.0.0.1:{gateway.Ports[2]}/");

        (await SendAsync(HttpMethod.Get, protocol: null)).ShouldBe((403, "http-refused"));
        (await SendAsync(HttpMethod.Connect, "chat", "13")).ShouldBe((403, "upgrade-refused"));
        (await SendAsync(HttpMethod.Connect, "websocket")).ShouldBe((426, "websocket-version"));
        (await SendAsync(HttpMethod.Connect, "websocket", "8")).ShouldBe((426, "websocket-version"));
        gateway.Backend.Requests.ShouldBeEmpty();

        async Task<(int, string)> SendAsync(HttpMethod method, string? protocol, string? version = null)
        {
            using var request = new HttpRequestMessage(method, address) { Version = new Version(2, 0), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            request.Headers.Protocol = protocol;
            if (version is not null)
                request.Headers.Add("Sec-WebSocket-Version", version);
            using HttpResponseMessage response = await client.SendAsync(request);
            JsonElement problem = JsonSerializer.Deserialize<JsonElement>(await response.Content.ReadAsStringAsync());
            return ((int)response.StatusCode, problem.GetProperty("type").GetString()!.Split(':')[^1]);
        }
    }

    private static async Task<int> GetAsync(TestGateway gateway)
    {
        (int status, _, Stream stream) = await TestClient.RequestAsync(gateway.Port, headers: Plain);
        await stream.DisposeAsync();
        return status;
    }

    private static async Task<string> ShouldBeRefusedAsync(
        TestGateway gateway, int expected, string type, string[] headers, string? requestLine = null)
    {
        (int status, string head, Stream stream) = await TestClient.RequestAsync(gateway.Port, headers: headers, requestLine: requestLine);
        await using (stream)
        {
            status.ShouldBe(expected, head);
            head.ShouldContain("\r\nContent-Type: application/problem+json\r\n");
            using var patience = new CancellationTokenSource(Eventually.Patience);
            byte[] body = new byte[4096];
            int length = await stream.ReadAsync(body, patience.Token);
            System.Text.Encoding.UTF8.GetString(body, 0, length).ShouldContain($"\"urn:proxygateway:problem:{type}\"");
        }

        gateway.Backend.Requests.ShouldBeEmpty();
        gateway.Budgets.InUse.ShouldBe(0);
        return head;
    }

    /// <summary>A route's metadata without anything in it, that counts how often a key is looked up.</summary>
    private sealed class CountedLookups(string counted) : Dictionary<string, string>, IReadOnlyDictionary<string, string>
    {
        private int _count;

        public new int Count => Volatile.Read(ref _count);

        bool IReadOnlyDictionary<string, string>.TryGetValue(string key, [MaybeNullWhen(false)] out string value)
        {
            if (key == counted)
                Interlocked.Increment(ref _count);
            return TryGetValue(key, out value);
        }
    }
}

internal static class Http2Listener
{
    /// <summary>HTTP/2 with prior knowledge, on a port of its own.</summary>
    public static void ListenLocalhost2(this KestrelServerOptions options) =>
        options.Listen(System.Net.IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
}
