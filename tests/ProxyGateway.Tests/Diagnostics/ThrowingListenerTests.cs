using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.Serving;
using ProxyGateway.Tests.Conventions;
using ProxyGateway.Tests.Handshakes.InMemory;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests.Diagnostics;

/// <summary>Listeners are the application's, and may throw. That decides nothing: a removed device goes, a refused one keeps no place, and the audit has every entry.</summary>
[Collection("spans")]
public sealed class ThrowingListenerTests : IDisposable
{
    private const string HelloOk = """{"type":"res","id":"17","ok":true,"payload":{"type":"hello-ok"}}""";

    private readonly MemoryGate _gate = new();
    private readonly Activity _trace = new Activity("test").SetIdFormat(ActivityIdFormat.W3C).Start();

    private IMeterFactory Meters => _gate.Get<IMeterFactory>();

    public void Dispose()
    {
        _gate.Dispose();
        _trace.Dispose();
    }

    [Theory]
    [InlineData(SpanMoment.Sampled)]
    [InlineData(SpanMoment.Started)]
    [InlineData(SpanMoment.Stopped)]
    public async Task Every_session_of_a_removed_device_ends(SpanMoment at)
    {
        using var listeners = new ThrowingListeners(Meters, _trace.TraceId, at);
        var device = new SigningDevice();
        MemoryTunnel first = await AdmitAsync(device);
        MemoryTunnel second = await AdmitAsync(device);

        await _gate.Get<DeviceRegistry>().RemoveAsync(device.Id, Some.Operator, Some.Rules, CancellationToken.None);

        (await first.Client.ReceiveAsync()).ShouldBe("Close 1008 device removed");
        (await second.Client.ReceiveAsync()).ShouldBe("Close 1008 device removed");
        listeners.Thrown.ShouldBeGreaterThan(10);
        Activity.Current.ShouldBe(_trace);
    }

    [Theory]
    [InlineData(SpanMoment.Sampled)]
    [InlineData(SpanMoment.Started)]
    [InlineData(SpanMoment.Stopped)]
    public async Task Who_is_refused_is_told_so_and_keeps_no_place(SpanMoment at)
    {
        using var listeners = new ThrowingListeners(Meters, _trace.TraceId, at);
        MemoryTunnel tunnel = await _gate.ConnectAsync(Some.Origin);
        await tunnel.ChallengeAsync();
        await tunnel.Client.SendAsync(tunnel.Connect(role: "node"));

        (await tunnel.Client.ReceiveAsync()).ShouldContain("PAIRING_REQUIRED");
        (await tunnel.Client.ReceiveAsync()).ShouldStartWith("Close 1008 pairing required");
        _gate.Get<SessionTable>().Count.ShouldBe(0);
        _gate.Audited.ShouldContain("device-refused not-paired");
    }

    [Fact]
    public async Task A_session_ends_and_leaves_nothing()
    {
        using var listeners = new ThrowingListeners(Meters, _trace.TraceId, SpanMoment.Stopped);
        MemoryTunnel tunnel = await AdmitAsync(new SigningDevice());

        await tunnel.HangUpAsync();
        await tunnel.EndAsync();

        _gate.Get<SessionTable>().Count.ShouldBe(0);
        _gate.Audited.Last().ShouldBe("session-closed");
    }

    // A webhook hears of an entry before it is in the queue of the audit.
    [Fact]
    public async Task An_event_that_a_webhook_misses_is_in_the_audit()
    {
        using var listeners = new ThrowingListeners(Meters, _trace.TraceId, SpanMoment.Sampled);
        GateTelemetry telemetry = _gate.Get<GateTelemetry>();
        var report = new WebhookReport(TimeProvider.System, telemetry, NullLogger<WebhookReport>.Instance);
        using var webhook = new Webhook(new WebhookOptions { Name = "chat", Url = new Uri("https://localhost") }, [1], new HttpClient(), TimeProvider.System, report);
        using var webhooks = new WebhookDispatcher([webhook], TimeProvider.System);
        webhook.Complete(); // it misses everything from now on
        await using var store = new InMemoryDeviceStore();
        using var audit = new AuditLog(TimeProvider.System, telemetry, NullLogger<AuditLog>.Instance, store, [webhooks]);
        await audit.StartAsync(default);

        audit.Enter(new AuditEntry { Kind = AuditKinds.RequestOpened, Role = "operator" });
        await audit.StopAsync(default);

        listeners.Thrown.ShouldBe(2, "the webhook's drop, and the registry's call");
        (await store.ListAsync(new AuditFilter(), before: null, limit: 10, default)).Items.ShouldHaveSingleItem().Role.ShouldBe("operator");
    }

    // Its place was taken, and would never be free again.
    [Fact]
    public void A_connection_for_which_another_gives_way_is_accepted_and_one_too_many_refused()
    {
        using var listeners = new ThrowingListeners(Meters, _trace.TraceId, SpanMoment.Sampled);
        var limits = new ConnectionLimits(1, 1);
        var budget = new ConnectionBudget(() => limits);
        var door = new ConnectionDoor("data", budget, () => [], _gate.Get<GateTelemetry>(), _gate.Get<PacedLogger<ConnectionDoor>>());
        door.TryEnter(Connection()).ShouldNotBeNull();

        door.TryEnter(Connection()).ShouldNotBeNull();
        limits = new ConnectionLimits(0, 0);
        door.TryEnter(Connection()).ShouldBeNull();

        (listeners.Thrown, budget.Connections).ShouldBe((2, 1));
    }

    [Fact]
    public async Task Its_failures_are_logged_once_a_minute()
    {
        using var listeners = new ThrowingListeners(Meters, _trace.TraceId, SpanMoment.Sampled);
        GateTelemetry telemetry = _gate.Get<GateTelemetry>();
        GateCounter counter = telemetry.CreateCounter("proxygateway.test", "{call}", "Calls.");

        for (int i = 0; i < 5; i++)
            counter.Add(1);
        telemetry.BeginSpan("handshake", _trace.Context).ShouldBeNull();
        _gate.TimesLogged(1403).ShouldBe(1);
        await _gate.AdvanceAsync(TimeSpan.FromMinutes(1));
        telemetry.BeginSpan("handshake", _trace.Context).ShouldBeNull();

        _gate.TimesLogged(1403).ShouldBe(2);
        listeners.Thrown.ShouldBe(7);
    }

    [Fact]
    public void No_other_class_calls_an_instrument()
    {
        string[] calls = ["CreateCounter<", "CreateHistogram<", "CreateUpDownCounter", "CreateGauge", "StartActivity(", "CreateActivity(", "new ActivitySource", "new Activity("];
        string[] guarded = ["class GateTelemetry", "class GateHistogram"];

        SourceGraph.Sources("ProxyGateway*")
            .Where(source => calls.Any(call => source.Contains(call, StringComparison.Ordinal)) && !guarded.Any(name => source.Contains(name, StringComparison.Ordinal)))
            .ShouldBeEmpty();
        SourceGraph.Sources("ProxyGateway*").Count(source => source.Contains("CreateCounter<", StringComparison.Ordinal)).ShouldBe(1);
    }

    private static DefaultConnectionContext Connection() => new() { RemoteEndPoint = new IPEndPoint(IPAddress.Parse("192.0.2.1"), 1) };

    private async Task<MemoryTunnel> AdmitAsync(SigningDevice device)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync(device: device);
        await tunnel.ForwardAsync();
        await tunnel.Backend.SendAsync(HelloOk);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + HelloOk);
        return tunnel;
    }
}
