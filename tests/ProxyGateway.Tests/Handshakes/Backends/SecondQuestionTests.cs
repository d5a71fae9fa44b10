using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Handshakes.InMemory;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Model;
using Endpoint = ProxyGateway.Tests.Handshakes.InMemory.Endpoint;

namespace ProxyGateway.Tests.Handshakes.Backends;

/// <summary>A backend refuses a device that the gate has admitted: who hears of it, and what the client is told.</summary>
public sealed class SecondQuestionTests
{
    private const string Asks = """{"type":"res","id":"17","ok":false,"error":{"code":"NOT_PAIRED","message":"m","details":{"code":"PAIRING_REQUIRED","reason":"scope-upgrade","requestId":"r1"}}}""";
    private const string AsksAndRetries = """{"type":"res","id":"17","ok":false,"error":{"code":"NOT_PAIRED","message":"m","details":{"code":"PAIRING_REQUIRED","requestId":"r1","pauseReconnect":false}}}""";
    private const string Refuses = """{"type":"res","id":"17","ok":false,"error":{"code":"INVALID_REQUEST","message":"m","details":{"code":"AUTH_DEVICE_TOKEN_MISMATCH"}}}""";

    // What the backend says; whether the gate has its token, and how the backend answers the approval; then how what the client gets begins, the audit, and the log.
    [Theory]
    [InlineData(Refuses, false, "", "Text " + Refuses, "backend-refused INVALID_REQUEST AUTH_DEVICE_TOKEN_MISMATCH", "1105, 1121")]
    [InlineData(Refuses, true, "", "Text " + Refuses, "backend-refused INVALID_REQUEST AUTH_DEVICE_TOKEN_MISMATCH", "1105, 1121")]
    [InlineData(Asks, false, "", "Text {\"type\":\"res\",\"id\":\"17\",\"ok\":false,\"error\":{\"code\":\"NOT_PAIRED\",\"message\":\"pairing required at the backend: scope-upgrade\"", "backend-refused NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request r1", "1122")]
    [InlineData(AsksAndRetries, false, "", "Text " + AsksAndRetries, "backend-refused NOT_PAIRED PAIRING_REQUIRED, request r1", "1122")]
    [InlineData(Asks, true, "approves", "Text {\"type\":\"res\",\"id\":\"17\",\"ok\":false,\"error\":{\"code\":\"UNAVAILABLE\",\"message\":\"try again later\",\"details\":{\"reason\":\"startup-sidecars\"", "backend-approved NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request r1", "1120, 1123")]
    [InlineData(Asks, true, "lists nothing", "Text {\"type\":\"res\",\"id\":\"17\",\"ok\":false,\"error\":{\"code\":\"UNAVAILABLE\",\"message\":\"try again later\",\"details\":{\"reason\":\"backend-pairing\"", "backend-refused NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request r1: it has no such request any more", "1120, 1124")]
    [InlineData(Asks, true, "the device is removed", "Close 1008 device removed", "backend-refused NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request r1: the client has left, or its grant is gone", "1120, 1124")]
    public async Task A_backend_that_refuses(string says, bool hasToken, string approval, string told, string audited, string logged)
    {
        using var gate = new MemoryGate(options => hasToken ? WithToken(options) : options);
        MemoryTunnel tunnel = await gate.ConnectAsync();
        using var backend = new MemoryBackend(tunnel.Device.Id.ToString());
        if (approval == "lists nothing")
            backend.Answers["device.pair.list"] = ["""{"type":"res","id":"@","ok":true,"payload":{}}"""];
        backend.OnCall = method => Task.Run(() =>
        {
            if (method == "device.pair.list" && approval == "the device is removed")
                gate.Get<SessionTable>().CloseAll(Closing.DeviceRemoved);
        });
        tunnel.Http.Features.Set<IReverseProxyFeature>(new Proxied(backend.Destination(), "http://127.0.0.1:1/"));
        await tunnel.ForwardAsync();

        await tunnel.Backend.SendAsync(says);

        (await tunnel.Client.ReceiveAsync()).ShouldStartWith(told);
        if (approval == "the device is removed")
            (await tunnel.Backend.ReceiveAsync()).ShouldBe("Close 1000");
        await tunnel.Backend.CloseAsync();
        await tunnel.Client.CloseAsync();
        await tunnel.EndAsync();
        gate.Audited.ShouldContain(audited);
        gate.Audited.ShouldNotContain("session-opened");
        string.Join(", ", gate.LoggedOfBackends).ShouldBe(logged);
        backend.Connections.Count.ShouldBe(approval.Length > 0 ? 1 : 0);
    }

    // The device has asked for more past the gate. Its owner is told the command that takes everything back, should the gate not have managed to.
    [Fact]
    public async Task A_backend_that_approves_more_than_is_granted()
    {
        var entries = new Entries();
        using var gate = new MemoryGate(WithToken, services => services.AddSingleton<IAuditListener>(entries));
        MemoryTunnel tunnel = await gate.ConnectAsync();
        string device = tunnel.Device.Id.ToString();
        using var backend = new MemoryBackend(device);
        backend.Answers["device.pair.approve"] =
            [$$$"""{"type":"res","id":"@","ok":true,"payload":{"requestId":"r1","device":{"deviceId":"{{{device}}}","role":"operator","scopes":["operator.admin"]} } }"""];
        backend.Answers["device.pair.remove"] = ["""{"type":"res","id":"@","ok":true,"payload":{}}"""];
        tunnel.Http.Features.Set<IReverseProxyFeature>(new Proxied(backend.Destination(), "http://127.0.0.1:1/"));
        await tunnel.ForwardAsync();

        await tunnel.Backend.SendAsync(Asks);

        (await tunnel.Client.ReceiveAsync()).ShouldContain("\"UNAVAILABLE\"");
        AuditEntry entry = entries.All.Single(e => e.Kind == AuditKinds.BackendRefused);
        entry.Reason.ShouldNotBeNull().ShouldStartWith("NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request r1: it has approved more than the gate has granted");
        entry.Note.ShouldBe($"openclaw devices remove {device}");
        gate.LoggedOfBackends.ShouldBe([1120, 1126]);
    }

    // Older OpenClaw gateways say in the refusal what the device has, and their list may leave it out.
    [Fact]
    public async Task What_the_device_had_by_the_refusal_is_not_taken_for_an_addition()
    {
        using var gate = new MemoryGate(WithToken);
        MemoryTunnel tunnel = await gate.ConnectAsync();
        string device = tunnel.Device.Id.ToString();
        using var backend = new MemoryBackend(device);
        backend.Answers["device.pair.list"][0] = backend.Answers["device.pair.list"][0].Replace("\"paired\":[]", $$"""
            "paired":[{"deviceId":"{{device}}","role":"operator"}]
            """, StringComparison.Ordinal);
        backend.Answers["device.pair.approve"] =
            [$$$"""{"type":"res","id":"@","ok":true,"payload":{"requestId":"r1","device":{"deviceId":"{{{device}}}","role":"operator","scopes":["operator.read","operator.admin"]} } }"""];
        tunnel.Http.Features.Set<IReverseProxyFeature>(new Proxied(backend.Destination(), "http://127.0.0.1:1/"));
        await tunnel.ForwardAsync();

        await tunnel.Backend.SendAsync(Asks.Replace("\"reason\"", "\"approvedScopes\":[\"operator.admin\"],\"reason\"", StringComparison.Ordinal));

        (await tunnel.Client.ReceiveAsync()).ShouldContain("startup-sidecars");
        gate.LoggedOfBackends.ShouldBe([1120, 1123]);
    }

    // The client waits meanwhile, and has as long as a handshake for all of it.
    [Fact]
    public async Task A_backend_has_half_the_time_of_a_handshake_for_an_approval()
    {
        using var gate = new MemoryGate(WithToken);
        MemoryTunnel tunnel = await gate.ConnectAsync();
        using var backend = new MemoryBackend(tunnel.Device.Id.ToString());
        backend.Answers["device.pair.list"] = [];
        tunnel.Http.Features.Set<IReverseProxyFeature>(new Proxied(backend.Destination(), "http://127.0.0.1:1/"));
        await tunnel.ForwardAsync();
        await tunnel.Backend.SendAsync(Asks);
        await Eventually.HoldsAsync(() => Task.FromResult(backend.Calls.Count == 2), "it is called", Endpoint.Patience);

        await gate.AdvanceAsync(gate.Options.HandshakeTimeout / 2);

        (await tunnel.Client.ReceiveAsync()).ShouldContain("backend-pairing");
        gate.Audited.ShouldContain("backend-refused NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request r1: it took longer than 00:00:05");
    }

    [Theory]
    [InlineData("http://agent.example:18789/base", null, "ws://agent.example:18789/base")]
    [InlineData("https://agent.example/", "other.example", "wss://agent.example/")]
    public void A_destination_is_reached_as_the_proxy_reaches_it(string address, string? host, string expected)
    {
        var context = new DefaultHttpContext();
        BackendDestination.Of(context).ShouldBeNull();
        using var backend = new MemoryBackend("");
        var proxied = new Proxied(backend.Destination(host: host), address);
        context.Features.Set<IReverseProxyFeature>(proxied);

        BackendDestination destination = BackendDestination.Of(context).ShouldNotBeNull();

        (destination.Address.ToString(), destination.Host, destination.ToString()).ShouldBe((expected, host, "agent/a"));
        destination.Client.ShouldBeSameAs(proxied.Cluster.HttpClient);
        proxied.ProxiedDestination = null;
        BackendDestination.Of(context).ShouldBeNull("the proxy has chosen none");
    }

    private static DeviceAuthOptions WithToken(DeviceAuthOptions options) =>
        options with { OpenClawBackends = options.OpenClawBackends.Add("agent", new OpenClawBackendOptions { Token = "the-token" }) };

    private sealed class Entries : IAuditListener
    {
        public ConcurrentQueue<AuditEntry> All { get; } = [];

        public void Entered(AuditEntry entry) => All.Enqueue(entry);
    }

    private sealed class Proxied(BackendDestination destination, string address) : IReverseProxyFeature
    {
        public RouteModel Route => throw new NotSupportedException();

        public ClusterModel Cluster { get; set; } = new(new ClusterConfig { ClusterId = destination.Cluster }, destination.Client);

        public IReadOnlyList<DestinationState> AllDestinations => throw new NotSupportedException();

        public IReadOnlyList<DestinationState> AvailableDestinations { get; set; } = [];

        public DestinationState? ProxiedDestination { get; set; } =
            new(destination.Id, new DestinationModel(new DestinationConfig { Address = address, Host = destination.Host }));
    }
}
