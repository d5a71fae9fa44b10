using System.Diagnostics;
using System.Diagnostics.Metrics;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Handshakes.InMemory;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests.Diagnostics;

/// <summary>What is measured of a handshake, and what its spans hold.</summary>
[Collection("spans")] // a listener to spans hears those of the whole process
public sealed class HandshakeMetricsTests : IDisposable
{
    private const string HelloOk = """{"type":"res","id":"17","ok":true,"payload":{"type":"hello-ok"}}""";
    private const string OfHandshake = "route=agent handshake=ConnectFrame";

    private readonly MemoryGate _gate = new();

    public void Dispose() => _gate.Dispose();

    [Fact]
    public void While_nobody_listens_a_handshake_has_no_trace() => _gate.Get<HandshakeMetrics>().Begin("agent", "ConnectFrame", "default").ShouldBeNull();

    [Fact]
    public async Task An_admission_counts_when_the_backend_has_accepted_with_its_parts_and_its_session()
    {
        using var measured = new Measured(_gate.Get<IMeterFactory>());
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ForwardAsync();
        measured.Of($"proxygateway.handshakes.completed {OfHandshake} audience=default outcome=admitted").ShouldBe(0);
        await tunnel.Backend.SendAsync(HelloOk);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + HelloOk);

        await Eventually.HoldsAsync(
            () => Task.FromResult(measured.Of($"proxygateway.handshakes.completed {OfHandshake} audience=default outcome=admitted") == 1), "it is admitted");
        measured.Of("proxygateway.handshake.duration handshake=ConnectFrame outcome=admitted").ShouldBe(1);
        measured.Of($"proxygateway.handshake.step.duration {OfHandshake} step=proof").ShouldBe(1);
        measured.Of($"proxygateway.handshake.step.duration {OfHandshake} step=policy").ShouldBe(1);
        measured.Of($"proxygateway.handshake.step.duration {OfHandshake} step=registry").ShouldBe(1);
        measured.Of($"proxygateway.handshake.step.duration {OfHandshake} step=backend").ShouldBe(2);
        measured.Of("proxygateway.registry.operation.duration operation=swap outcome=ok").ShouldBe(1);

        await tunnel.HangUpAsync();
        await tunnel.EndAsync();
        measured.Of($"proxygateway.session.duration {OfHandshake} audience=default end=left").ShouldBe(1);
    }

    [Fact]
    public async Task A_refusal_counts_once_by_its_first_cause()
    {
        using var measured = new Measured(_gate.Get<IMeterFactory>());
        MemoryTunnel tunnel = await _gate.ConnectAsync(Some.Origin);
        await tunnel.ChallengeAsync();
        await tunnel.Client.SendAsync(tunnel.Connect(role: "node"));
        await Eventually.HoldsAsync(
            () => Task.FromResult(measured.Of($"proxygateway.handshakes.completed {OfHandshake} audience=default outcome=pairing-required") == 1), "it is refused");
        (await tunnel.Client.ReceiveAsync()).ShouldContain("PAIRING_REQUIRED");
        (await tunnel.Client.ReceiveAsync()).ShouldStartWith("Close 1008 pairing required");
        (await tunnel.Backend.ReceiveAllAsync()).ShouldBeEmpty();
        await tunnel.Client.CloseAsync();
        await tunnel.EndAsync();

        measured.Series.Where(s => s.StartsWith("proxygateway.handshakes.completed", StringComparison.Ordinal)).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task Spans_of_a_handshake_are_one_tree_with_nothing_that_the_client_sent()
    {
        var ended = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Telemetry.ActivitySourceName,
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                lock (ended)
                    ended.Add(span);
            },
        };
        ActivitySource.AddActivityListener(listener);
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        string device = tunnel.Device.Id.ToString();
        string connect = await tunnel.ForwardAsync();
        await tunnel.Backend.SendAsync(HelloOk);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + HelloOk);

        Activity? root = null;
        await Eventually.HoldsAsync(() => Task.FromResult((root = Ended().FirstOrDefault(s => s.OperationName == "handshake" && s.Tags.Any(t => t.Value == device[..20]))) is not null), "it ended");
        Activity[] tree = [.. Ended().Where(s => s.TraceId == root!.TraceId)];
        Activity policy = tree.Single(s => s.OperationName == "policy");
        tree.Select(s => s.OperationName).Order().ShouldBe(["backend", "backend", "handshake", "policy", "proof", "registry"]);
        tree.Where(s => s.OperationName is "proof" or "policy" or "backend").ShouldAllBe(s => s.ParentSpanId == root!.SpanId);
        tree.Single(s => s.OperationName == "registry").ParentSpanId.ShouldBe(policy.SpanId);
        root!.Tags.Select(t => $"{t.Key}={t.Value}").ShouldBe(
        [
            "proxygateway.route=agent", "proxygateway.handshake=ConnectFrame", "proxygateway.audience=default", $"proxygateway.device={device[..20]}", "proxygateway.outcome=admitted",
        ]);
        foreach (string? value in tree.SelectMany(s => s.Tags).Select(t => t.Value))
            (value!.Length > 20 && connect.Contains(value, StringComparison.Ordinal)).ShouldBeFalse(value);

        Activity[] Ended()
        {
            lock (ended)
                return [.. ended];
        }
    }

    [Fact]
    public void A_listener_that_throws_costs_the_span_and_nothing_else()
    {
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Telemetry.ActivitySourceName,
            Sample = (ref options) => options.Name == "throws at first" ? throw new InvalidOperationException("no room") : ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                if (span.OperationName == "throws at last")
                    throw new InvalidOperationException("no room");
            },
        };
        ActivitySource.AddActivityListener(listener);
        using Activity request = new Activity("request").Start();

        GateTelemetry telemetry = _gate.Get<GateTelemetry>();
        telemetry.BeginSpan("throws at first", request.Context).ShouldBeNull();
        telemetry.EndSpan(telemetry.BeginSpan("throws at last", request.Context).ShouldNotBeNull());

        Activity.Current.ShouldBe(request);
    }

    [Fact]
    public void Any_text_of_an_application_is_one_outcome_and_one_end()
    {
        HandshakeOutcomes.Of(Closing.ByApplication("a text")).ShouldBe(HandshakeOutcome.FilterRefused);
        SessionEnds.Of(Closing.ByApplication("another")).ShouldBe("other");
        HandshakeOutcomes.Of(Closing.InvalidHandshake("x")).ShouldBe(HandshakeOutcome.HandshakeInvalid);
        HandshakeOutcomes.Of(Closing.PairingRequiredByBackend("1")).ShouldBe(HandshakeOutcome.BackendRefused);
        HandshakeOutcomes.Of(Closing.GrantRevoked).ShouldBe(HandshakeOutcome.Revoked);
    }
}
