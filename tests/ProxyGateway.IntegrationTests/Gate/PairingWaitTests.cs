using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.DeviceAuth.WebSockets;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Clients that wait on their connection for the decision about their pairing request.</summary>
public sealed class PairingWaitTests
{
    private readonly TestDevice _device = new();

    [Theory]
    [InlineData("approved")]
    [InlineData("rejected")]
    [InlineData("expired")]
    public async Task A_waiting_client_hears_of_the_decision_and_is_closed(string decision)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(decision == "expired" ? new() { ["DeviceAuth:Pairing:RequestLifetime"] = "00:00:01" } : null);
        (FrameConnection client, string request) = await WaitAsync(gateway);
        FrameConnection backend = await gateway.Backend.AcceptAsync();
        await backend.Completion; // it is closed while the client waits
        (await backend.ReceivedFramesAsync()).ShouldBeEmpty();
        gateway.Budgets.InUse.ShouldBe(0);

        if (decision == "approved")
            await gateway.ApproveAsync(request);
        else if (decision == "rejected")
            await gateway.RejectAsync(request);

        await ShouldHearAsync(client, request, decision);
        await ShouldBeFreeAsync(gateway);
        if (decision == "approved")
            (await TestClient.ConnectAsync(gateway.RemotePort, _device, Asking())).ShouldBeAdmitted();
    }

    [Fact]
    public async Task The_refusal_of_a_client_that_can_wait_differs_from_that_of_another_in_one_member()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        Outcome other = await TestClient.ConnectAsync(gateway.RemotePort, _device);
        other.ShouldRequirePairing("not-paired");
        FrameConnection client = await TestClient.AskAsync(gateway.RemotePort, _device, Asking());

        JsonObject answer = JsonNode.Parse((await client.ReceiveJsonAsync()).GetRawText())!.AsObject();

        JsonObject details = answer["error"]!["details"]!.AsObject();
        details["waitForResolution"]!.GetValue<bool>().ShouldBeTrue();
        details.Remove("waitForResolution");
        answer.ToJsonString().ShouldBe(JsonNode.Parse(other.Answer!.Value.GetRawText())!.ToJsonString());
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("""["device-pairing", "Device-Pairing-Wait", 7, null, {"device-pairing-wait":true}]""")]
    [InlineData("\"device-pairing-wait\"")]
    [InlineData("""{"device-pairing-wait":true}""")]
    [InlineData("null")]
    [InlineData("7")]
    public async Task A_client_without_the_capability_is_refused_as_ever(string capabilities)
    {
        await using TestGateway gateway = await TestGateway.StartAsync();

        Outcome outcome = await TestClient.ConnectAsync(gateway.RemotePort, _device, new Ask { Tamper = frame => frame["params"]!["caps"] = JsonNode.Parse(capabilities) });

        outcome.ShouldRequirePairing("not-paired");
        outcome.Details.TryGetProperty("waitForResolution", out _).ShouldBeFalse();
    }

    [Theory]
    [InlineData("DeviceAuth:Limits:HandshakesPerAddress", "2", 2)]
    [InlineData("DeviceAuth:Limits:Handshakes", "12", 3)]
    [InlineData("DeviceAuth:Limits:SessionsPerDevice", "64", PairingWaits.MostPerDevice)]
    public async Task A_client_for_which_there_is_no_place_is_refused_as_ever(string limit, string value, int places)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { [limit] = value });
        var waiting = new List<FrameConnection>(); // a socket that nobody holds is closed when it is collected
        for (int i = 0; i < places; i++)
            waiting.Add((await WaitAsync(gateway)).Client);

        Outcome outcome = await TestClient.ConnectAsync(gateway.RemotePort, _device, Asking());

        outcome.ShouldRequirePairing("not-paired");
        outcome.Details.TryGetProperty("waitForResolution", out _).ShouldBeFalse();
        gateway.Log.Of(1108).ShouldNotBeEmpty();
        Waits(gateway).Count.ShouldBe(places);
        GC.KeepAlive(waiting);
    }

    [Fact]
    public async Task A_client_that_is_rejected_already_does_not_wait()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        Outcome first = await TestClient.ConnectAsync(gateway.RemotePort, _device);
        await gateway.RejectAsync(first.RequestId);

        Outcome outcome = await TestClient.ConnectAsync(gateway.RemotePort, _device, Asking());

        outcome.ShouldBeClosed(1008, "pairing rejected (requestId: ");
        outcome.Details.TryGetProperty("waitForResolution", out _).ShouldBeFalse();
    }

    [Theory]
    [InlineData("close")]
    [InlineData("end")]
    [InlineData("reset")]
    public async Task A_client_that_leaves_gives_its_place_back(string how)
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync("127.0.0.1", gateway.RemotePort);
        var stream = new NetworkStream(socket, ownsSocket: true);
        (await TestClient.RequestAsync(stream, $"127.0.0.1:{gateway.RemotePort}")).Status.ShouldBe(101);
        var client = new FrameConnection(stream, masks: true);
        await client.ReceiveJsonAsync();
        await client.SendTextAsync(Asking().SignedBy(_device));
        await client.ReceiveJsonAsync();

        switch (how)
        {
            case "close":
                await client.CloseAsync();
                (await client.ReceiveCloseAsync()).CloseCode.ShouldBe(1000);
                (await client.ReceiveToEndAsync()).ShouldBeEmpty();
                break;
            case "end":
                socket.Shutdown(SocketShutdown.Send);
                break;
            default:
                socket.LingerState = new LingerOption(enable: true, seconds: 0);
                socket.Close();
                break;
        }

        await ShouldBeFreeAsync(gateway);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task A_gateway_that_stops_tells_those_who_wait()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        (FrameConnection client, _) = await WaitAsync(gateway);

        Task stopping = gateway.StopAsync();

        await ShouldCloseAsync(client, 1012, "gateway restarting");
        await stopping;
    }

    [Theory]
    [InlineData("settings")]
    [InlineData("off")]
    [InlineData("route")]
    public async Task A_reload_ends_waits_that_it_concerns(string change)
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        (FrameConnection client, _) = await WaitAsync(gateway);
        var routes = gateway.Services.GetRequiredService<InMemoryConfigProvider>();
        IProxyConfig proxy = gateway.Services.GetRequiredService<IProxyConfigProvider>().GetConfig();

        if (change == "settings")
            gateway.Reload(("DeviceAuth:Limits:SessionsPerDevice", "3"));
        else if (change == "off")
            routes.Update([proxy.Routes[0] with { Metadata = new Dictionary<string, string> { ["DeviceAuth"] = "Off" } }], proxy.Clusters);
        else
            routes.Update([proxy.Routes[0] with { RouteId = "another", Match = new RouteMatch { Path = "/other" } }], proxy.Clusters);

        await ShouldCloseAsync(client, 1013, "try again later");
        await ShouldBeFreeAsync(gateway);
    }

    [Fact]
    public async Task A_reload_of_other_routes_lets_clients_wait()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        (FrameConnection client, string request) = await WaitAsync(gateway);
        IProxyConfig proxy = gateway.Services.GetRequiredService<IProxyConfigProvider>().GetConfig();

        gateway.Services.GetRequiredService<InMemoryConfigProvider>().Update(
            [.. proxy.Routes, new RouteConfig { RouteId = "more", ClusterId = "agent", Match = new RouteMatch { Path = "/more" } }], proxy.Clusters);

        await Eventually.HoldsAsync(async () => (await TestClient.RequestAsync(gateway.RemotePort, "/more")).Status == 101, "the routes are in force");
        await gateway.ApproveAsync(request);
        await ShouldHearAsync(client, request, "approved");
    }

    [Fact]
    public async Task The_wait_outlives_the_activity_timeout_of_the_proxy()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:HandshakeTimeout"] = "00:05:00" }, services: s => s
            .AddSqliteDeviceStore(new() { Path = Path.Combine(Directory.CreateTempSubdirectory("gate-").FullName, "registry.db") })
            .AddSingleton<IProxyConfigFilter>(new Hasty()));
        (FrameConnection client, string request) = await WaitAsync(gateway);

        FrameConnection silent = await TestClient.OpenAsync(gateway.RemotePort);
        (await silent.ReceiveCloseAsync()).CloseReason.ShouldBe("handshake timeout"); // by that time-out, and it came later
        await silent.CloseAsync();
        Waits(gateway).Count.ShouldBe(1);
        await gateway.ApproveAsync(request);

        await ShouldHearAsync(client, request, "approved");
    }

    [Fact]
    public async Task A_client_that_floods_while_it_waits_is_closed()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        (FrameConnection client, _) = await WaitAsync(gateway);
        byte[] ping = FrameConnection.Encode(Opcode.Ping, new byte[125], masked: true);

        await client.SendRawAsync([.. Enumerable.Repeat(ping, 600).SelectMany(p => p)]);

        Frame close = await client.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1008, "invalid handshake: too many control frames"));
        await ShouldBeFreeAsync(gateway);
    }

    [Fact]
    public async Task A_client_that_speaks_while_it_waits_is_closed_and_the_backend_hears_nothing()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        (FrameConnection client, string request) = await WaitAsync(gateway);
        FrameConnection backend = await gateway.Backend.AcceptAsync();

        await client.SendTextAsync("""{"type":"req","id":"2","method":"connect","params":{}}""");

        Frame close = await client.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1008, "invalid handshake: a message while the pairing is undecided"));
        await backend.Completion;
        (await backend.ReceivedFramesAsync()).ShouldBeEmpty();
        await ShouldBeFreeAsync(gateway);
        await gateway.ApproveAsync(request);
        (await TestClient.ConnectAsync(gateway.RemotePort, _device, Asking())).ShouldBeAdmitted();
    }

    internal static Ask Asking() => new() { Tamper = frame => frame["params"]!["caps"]!.AsArray().Add("device-pairing-wait") };

    internal static PairingWaits Waits(TestGateway gateway) => gateway.Services.GetRequiredService<PairingWaits>();

    internal static async Task<(FrameConnection Client, string Request)> WaitAsync(TestGateway gateway, TestDevice device)
    {
        int before = Waits(gateway).Count;
        FrameConnection client = await TestClient.AskAsync(gateway.RemotePort, device, Asking());
        JsonElement details = (await client.ReceiveJsonAsync()).GetProperty("error").GetProperty("details");
        details.GetProperty("waitForResolution").GetBoolean().ShouldBeTrue();
        details.GetProperty("pauseReconnect").GetBoolean().ShouldBeFalse();
        Waits(gateway).Count.ShouldBe(before + 1);
        return (client, details.GetProperty("requestId").GetString()!);
    }

    /// <summary>One event, then the close.</summary>
    internal static async Task ShouldHearAsync(FrameConnection client, string request, string decision)
    {
        JsonElement told = await client.ReceiveJsonAsync();
        told.GetProperty("event").GetString().ShouldBe("device.pair.resolved");
        told.GetProperty("payload").GetProperty("requestId").GetString().ShouldBe(request);
        told.GetProperty("payload").GetProperty("decision").GetString().ShouldBe(decision);
        await ShouldCloseAsync(client, 1008, $"pairing {decision}");
    }

    internal static async Task ShouldBeFreeAsync(TestGateway gateway) =>
        await Eventually.HoldsAsync(() => Task.FromResult(Waits(gateway).Count == 0), "the place is free");

    private static async Task ShouldCloseAsync(FrameConnection client, int code, string reason)
    {
        Frame close = (await client.ReceiveAsync())!;
        close.Opcode.ShouldBe(Opcode.Close, close.Text);
        (close.CloseCode, close.CloseReason).ShouldBe((code, reason));
        await client.SendAsync(Opcode.Close, close.Payload);
        (await client.ReceiveToEndAsync()).ShouldBeEmpty();
    }

    private Task<(FrameConnection Client, string Request)> WaitAsync(TestGateway gateway) => WaitAsync(gateway, _device);

    private sealed class Hasty : IProxyConfigFilter
    {
        public ValueTask<ClusterConfig> ConfigureClusterAsync(ClusterConfig cluster, CancellationToken cancel) =>
            new(cluster with { HttpRequest = new ForwarderRequestConfig { ActivityTimeout = TimeSpan.FromSeconds(1) } });

        public ValueTask<RouteConfig> ConfigureRouteAsync(RouteConfig route, ClusterConfig? cluster, CancellationToken cancel) => new(route);
    }
}
