using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Handshakes.InMemory;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Model;

namespace ProxyGateway.Tests.Handshakes.Backends;

/// <summary>A backend refuses a device that the gate has admitted: who hears of it, and what the client is told.</summary>
public sealed class SecondQuestionTests
{
    private const string Asks = """{"type":"res","id":"17","ok":false,"error":{"code":"NOT_PAIRED","message":"m","details":{"code":"PAIRING_REQUIRED","reason":"scope-upgrade","requestId":"r1"}}}""";
    private const string AsksAndRetries = """{"type":"res","id":"17","ok":false,"error":{"code":"NOT_PAIRED","message":"m","details":{"code":"PAIRING_REQUIRED","requestId":"r1","pauseReconnect":false}}}""";
    private const string Refuses = """{"type":"res","id":"17","ok":false,"error":{"code":"INVALID_REQUEST","message":"m","details":{"code":"AUTH_DEVICE_TOKEN_MISMATCH"}}}""";

    // What the backend says; whether the gate has its token, and how the backend answers the approval; then how what the client gets begins, and the audit.
    [Theory]
    [InlineData(Refuses, false, "", "Text " + Refuses, "backend-refused INVALID_REQUEST AUTH_DEVICE_TOKEN_MISMATCH")]
    [InlineData(Refuses, true, "", "Text " + Refuses, "backend-refused INVALID_REQUEST AUTH_DEVICE_TOKEN_MISMATCH")]
    [InlineData(Asks, false, "", "Text {\"type\":\"res\",\"id\":\"17\",\"ok\":false,\"error\":{\"code\":\"NOT_PAIRED\",\"message\":\"pairing required at the backend: scope-upgrade\"", "backend-refused NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request r1")]
    [InlineData(AsksAndRetries, false, "", "Text " + AsksAndRetries, "backend-refused NOT_PAIRED PAIRING_REQUIRED, request r1")]
    [InlineData(Asks, true, "approves", "Text {\"type\":\"res\",\"id\":\"17\",\"ok\":false,\"error\":{\"code\":\"UNAVAILABLE\",\"message\":\"try again later\",\"details\":{\"reason\":\"startup-sidecars\"", "backend-approved NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request r1")]
    [InlineData(Asks, true, "lists nothing", "Text {\"type\":\"res\",\"id\":\"17\",\"ok\":false,\"error\":{\"code\":\"UNAVAILABLE\",\"message\":\"try again later\",\"details\":{\"reason\":\"backend-pairing\"", "backend-refused NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request r1: it has no such request any more")]
    [InlineData(Asks, true, "the device is removed", "Close 1008 device removed", "backend-refused NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request r1: the client has left, or its grant is gone")]
    public async Task A_backend_that_refuses(string says, bool hasToken, string approval, string told, string audited)
    {
        using var gate = new MemoryGate(options => hasToken
            ? options with { OpenClawBackends = options.OpenClawBackends.Add("agent", new OpenClawBackendOptions { Token = "the-token" }) }
            : options);
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
        await tunnel.Backend.CloseAsync();
        await tunnel.Client.CloseAsync();
        await tunnel.EndAsync();
        gate.Audited.ShouldContain(audited);
        gate.Audited.ShouldNotContain("session-opened");
        backend.Connections.Count.ShouldBe(approval.Length > 0 ? 1 : 0);
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
