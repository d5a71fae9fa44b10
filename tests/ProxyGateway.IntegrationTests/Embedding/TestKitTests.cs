using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Embedding;

/// <summary>An application with the gate, tested as its author would: with the test kit, and nothing that is not public.</summary>
public sealed class TestKitTests : IAsyncLifetime, IDisposable
{
    private static readonly Operator Ops = new("ops");
    private static readonly string[] Read = ["operator.read"];

    private readonly List<WebApplication> _apps = [];
    private readonly InMemoryDeviceStore _store = new();
    private readonly DeviceClient _device = new();
    private readonly CancellationTokenSource _patience = new(Eventually.Patience);
    private ScriptedBackend _backend = null!;
    private WebApplication _app = null!;

    private DeviceRegistry Registry => _app.Services.GetRequiredService<DeviceRegistry>();

    private PairingRules Rules => _app.Services.GetRequiredService<IDeviceAuthSettings>().Current.PairingRules;

    public async Task InitializeAsync()
    {
        _backend = await ScriptedBackend.StartAsync();
        _app = await StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _backend.DisposeAsync();
        foreach (WebApplication app in _apps)
            await app.DisposeAsync();
        (await _store.GetAsync(_device.Id, default)).Damage.ShouldBeNull("the store outlives the applications that used it");
    }

    public void Dispose()
    {
        _device.Dispose();
        _patience.Dispose();
    }

    [Theory]
    [InlineData(3, null, null)]
    [InlineData(4, "Secret", "MacBook Pro ")]
    public async Task A_device_on_loopback_is_admitted_and_its_connect_reaches_the_backend(int protocol, string? token, string? family)
    {
        var options = new ConnectOptions { Protocol = protocol, Token = token, DeviceFamily = family, Platform = "Ärger OS", DisplayName = "A device" };

        ConnectResult.Admitted admitted = await AdmitAsync("operator", Read, options);

        admitted.Hello.GetProperty("type").GetString().ShouldBe("hello-ok");
        await admitted.WebSocket.SendTextAsync("hello");
        (await admitted.WebSocket.ReceiveTextAsync(_patience.Token)).ShouldBe("hello");
        ScriptedConnection reached = _backend.Connections.ShouldHaveSingleItem();
        reached.PathAndQuery.ShouldBe("/agent?x=1");
        reached.Headers.Host.ToString().ShouldNotBeEmpty();
        JsonElement parameters = reached.Connect!.Value.GetProperty("params");
        parameters.GetProperty("role").GetString().ShouldBe("operator");
        parameters.GetProperty("maxProtocol").GetInt32().ShouldBe(protocol);
        parameters.GetProperty("device").GetProperty("id").GetString().ShouldBe(_device.Id.ToString());
        reached.Received.Count.ShouldBe(2);
        (await Registry.FindAsync(_device.Id, default))!.PublicKey.ShouldBe(_device.PublicKey);
    }

    [Fact]
    public async Task A_scope_upgrade_on_loopback_is_admitted()
    {
        await AdmitAsync("operator", Read);
        await AdmitAsync("operator", ["operator.read", "operator.write"]);

        (await Registry.FindAsync(_device.Id, default))!.ScopesOf("operator").ShouldContain("operator.write");
    }

    [Fact]
    public async Task A_role_upgrade_is_refused_until_it_is_approved()
    {
        await AdmitAsync("operator", Read);

        ConnectResult.Refused refused = await RefuseAsync("node");
        (refused.ErrorCode, refused.Reason, refused.CloseCode, refused.HttpStatus).ShouldBe(("PAIRING_REQUIRED", "role-upgrade", 1008, null));
        refused.CloseReason!.ShouldStartWith("pairing required");
        _backend.Connections[^1].Received.ShouldBeEmpty("the backend has heard nothing of it");
        Decision? decision = await Registry.ApproveAsync(refused.RequestId!.Value, new GrantTerms(), Ops, Rules, default);

        decision!.Outcome.ShouldBe(DecisionOutcome.Done);
        await AdmitAsync("node");
    }

    [Fact]
    public async Task A_device_that_is_removed_is_closed_at_every_gate_of_the_store()
    {
        WebApplication other = await StartAsync();
        ConnectResult.Admitted here = await AdmitAsync("operator", Read);
        ConnectResult.Admitted there = await AdmitAsync("operator", Read, at: other);

        await Registry.ChangeAsync(_device.Id, new DeviceChange.Remove(), Ops, Rules, default);

        foreach (ConnectResult.Admitted admitted in new[] { here, there })
        {
            (await admitted.WebSocket.ReceiveTextAsync(_patience.Token)).ShouldBeNull();
            ((int?)admitted.WebSocket.CloseStatus).ShouldBe(1008);
            admitted.WebSocket.CloseStatusDescription!.ShouldNotBeEmpty();
        }

        await Task.WhenAll(_backend.Connections.Select(c => c.Completion.WaitAsync(Eventually.Patience)));
        (await RefuseAsync("operator")).ErrorCode.ShouldBe("PAIRING_REQUIRED");
    }

    [Fact]
    public async Task While_the_store_is_away_nobody_is_admitted()
    {
        await AdmitAsync("operator", Read);
        _store.IsAvailable = false;
        ConnectResult.Refused refused = await RefuseAsync("operator");
        _store.IsAvailable = true;

        refused.CloseCode.ShouldBe(1013);
        refused.Error!.Value.GetProperty("code").GetString().ShouldBe("UNAVAILABLE");
        await AdmitAsync("operator", Read);
    }

    [Fact]
    public async Task A_backend_script_can_refuse_a_device_that_the_gate_has_admitted()
    {
        _backend.Script = async connection =>
        {
            await connection.ChallengeAsync();
            await connection.ReceiveConnectAsync();
            await connection.RefuseAsync("INVALID_REQUEST", "the script says no");
        };

        ConnectResult.Refused refused = await RefuseAsync("operator");

        refused.Error!.Value.GetProperty("message").GetString().ShouldBe("the script says no");
        refused.RequestId.ShouldBeNull();
    }

    [Fact]
    public async Task A_failed_script_reports_its_exception()
    {
        _backend.Script = async connection =>
        {
            await connection.AcceptAsync(); // before a connect has come
        };

        await RefuseAsync("operator");

        await Should.ThrowAsync<InvalidOperationException>(_backend.Connections.ShouldHaveSingleItem().Completion);
    }

    [Fact]
    public async Task A_refused_upgrade_has_its_HTTP_status()
    {
        var options = new ConnectOptions { ConfigureWebSocket = webSocket => webSocket.SetRequestHeader("Origin", "https://evil.example") };

        (await RefuseAsync("operator", options)).HttpStatus.ShouldBe(HttpStatusCode.Forbidden);
        _backend.Connections.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_silent_backend_ends_the_connect_with_a_timeout()
    {
        var silent = new TaskCompletionSource();
        _backend.Script = _ => silent.Task;

        await Should.ThrowAsync<TimeoutException>(() => _device.ConnectAsync(_backend.Address, options: new ConnectOptions { Timeout = TimeSpan.FromMilliseconds(100) }));
        silent.SetResult();
    }

    [Fact]
    public async Task The_same_seed_is_the_same_device_and_its_clock_counts()
    {
        byte[] seed = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
        using var device = new DeviceClient(seed);
        using var same = new DeviceClient(seed, new StoppedClock(DateTimeOffset.UnixEpoch));
        same.Id.ShouldBe(device.Id);

        var refused = (ConnectResult.Refused)await same.ConnectAsync(AddressOf(_app));

        refused.ErrorCode.ShouldBe("DEVICE_AUTH_SIGNATURE_EXPIRED");
        (await device.ConnectAsync(AddressOf(_app))).ShouldBeOfType<ConnectResult.Admitted>().WebSocket.Dispose();
    }

    [Fact]
    public async Task Plain_HTTP_requests_are_recorded()
    {
        using var http = new HttpClient();

        (await http.GetAsync(new Uri(_backend.Address, "/status?x=1"))).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await http.GetAsync(new Uri(_app.Urls.First()))).StatusCode.ShouldNotBe(HttpStatusCode.OK, "the gate relays upgrades only");

        _backend.Requests.ShouldBe(["GET /status?x=1"]);
    }

    private async Task<ConnectResult.Admitted> AdmitAsync(string role, string[]? scopes = null, ConnectOptions? options = null, WebApplication? at = null) =>
        (await _device.ConnectAsync(AddressOf(at ?? _app), role, scopes, options)).ShouldBeOfType<ConnectResult.Admitted>();

    private async Task<ConnectResult.Refused> RefuseAsync(string role, ConnectOptions? options = null) =>
        (await _device.ConnectAsync(AddressOf(_app), role, options: options)).ShouldBeOfType<ConnectResult.Refused>();

    private static Uri AddressOf(WebApplication app) => new(app.Urls.First() + "/agent?x=1");

    private async Task<WebApplication> StartAsync()
    {
        WebApplication app = EmbeddedApplication.Build(
            _backend.Address.ToString(), builder => builder.Services.AddDeviceAuthorization(builder.Configuration).AddInMemoryStore(_store));
        await app.StartAsync();
        _apps.Add(app);
        return app;
    }

    private sealed class StoppedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
