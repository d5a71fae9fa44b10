using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>The proxy's activity time-out, when it is over in the middle of a handshake: the client is told so, and the proxy has nothing to complain of.</summary>
public sealed class ActivityTimeoutTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gate-");
    private PausingStore _store = null!;
    private TestGateway _gateway = null!;

    public async Task InitializeAsync()
    {
        _store = Open(Path.Combine(_folder.FullName, "registry.db"));
        var hasty = new HastyCluster();
        var settings = new Dictionary<string, string?>(SharedGateway.Generous) { ["DeviceAuth:HandshakeTimeout"] = "00:05:00" }; // which is not what ends them
        _gateway = await TestGateway.StartAsync(settings, services: s => s.AddSingleton<IDeviceStore>(_store).AddSingleton<IProxyConfigFilter>(hasty));
        _gateway.Backend.Script = TestBackend.ChallengeAsync;
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task The_activity_timeout_ends_a_handshake_whose_backend_sends_no_challenge()
    {
        _gateway.Backend.Script = backend => backend.Completion;
        FrameConnection client = await TestClient.OpenAsync(_gateway.Port);
        FrameConnection backend = await _gateway.Backend.AcceptAsync();

        (await client.ReceiveCloseAsync()).CloseReason.ShouldBe("backend handshake failed");

        await backend.ReceiveToEndAsync();
        backend.Complete();
        await client.DisposeAsync();
        await ShouldBeOverAsync();
    }

    [Fact]
    public async Task The_activity_timeout_ends_a_handshake_whose_client_is_silent()
    {
        Encounter encounter = await Encounter.OpenAsync(_gateway);

        (await encounter.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("handshake timeout");

        await EndAsync(encounter);
        (await encounter.Backend.ReceivedFramesAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_activity_timeout_ends_a_handshake_that_is_being_decided()
    {
        _store.PauseAfterNextRead();
        Encounter encounter = await Encounter.AskAsync(_gateway, new TestDevice());
        await _store.Paused;
        Encounter silent = await Encounter.OpenAsync(_gateway);
        (await silent.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("handshake timeout"); // and so it is over for the one that came before
        await EndAsync(silent, isLast: false);

        _store.Continue();

        (await encounter.Client.ReceiveJsonAsync()).GetProperty("error").GetProperty("code").GetString().ShouldBe("UNAVAILABLE");
        (await encounter.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("try again later");
        await EndAsync(encounter);
        (await encounter.Backend.ReceivedFramesAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_activity_timeout_ends_a_handshake_whose_backend_does_not_answer()
    {
        Encounter encounter = await Encounter.AskAsync(_gateway, new TestDevice());
        await OneConnectTests.ReceiveConnectAsync(encounter.Backend);

        (await encounter.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("backend handshake failed");

        await EndAsync(encounter);
    }

    private static PausingStore Open(string path) => new(SqliteDeviceStore.Open(new SqliteStoreOptions { Path = path }, TimeProvider.System));

    private async Task EndAsync(Encounter encounter, bool isLast = true)
    {
        await encounter.Client.CloseAsync();
        await encounter.Backend.ReceiveToEndAsync();
        encounter.Backend.Complete();
        await encounter.DisposeAsync();
        if (isLast)
            await ShouldBeOverAsync();
    }

    private async Task ShouldBeOverAsync()
    {
        await Eventually.HoldsAsync(() => Task.FromResult(_gateway.Budgets.InUse == 0 && _gateway.Sessions.Count == 0), "no place and no session is held");
        _gateway.Log.Lines.Where(l => l.Level >= LogLevel.Warning && !l.Category.StartsWith("ProxyGateway", StringComparison.Ordinal)).ShouldBeEmpty();
        _gateway.Log.Lines.Where(l => l.Level >= LogLevel.Error).ShouldBeEmpty();
    }

    private sealed class HastyCluster : IProxyConfigFilter
    {
        public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(1);

        public ValueTask<ClusterConfig> ConfigureClusterAsync(ClusterConfig cluster, CancellationToken cancel) =>
            new(cluster with { HttpRequest = new ForwarderRequestConfig { ActivityTimeout = Timeout } });

        public ValueTask<RouteConfig> ConfigureRouteAsync(RouteConfig route, ClusterConfig? cluster, CancellationToken cancel) => new(route);
    }
}
