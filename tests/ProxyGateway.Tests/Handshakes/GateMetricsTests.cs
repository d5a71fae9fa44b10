using System.Diagnostics.Metrics;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.Tests.Handshakes.InMemory;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>The names, units and tags of the gate's counters, by which dashboards and alerts find them.</summary>
public sealed class GateMetricsTests
{
    [Fact]
    public async Task Counters_have_their_names_units_and_tags()
    {
        using var gate = new MemoryGate();
        using var meters = new Meters();
        var metrics = new GateMetrics(meters, gate.Get<HandshakeBudgets>(), gate.Get<SessionTable>());
        var seen = new List<string>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (ReferenceEquals(instrument.Meter, meters.Only))
                    l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((i, value, tags, _) => seen.Add(Line(i, value, tags)));
        listener.SetMeasurementEventCallback<int>((i, value, tags, _) => seen.Add(Line(i, value, tags)));
        listener.Start();
        await gate.ConnectAsync();

        metrics.UpgradeRefused("rate");
        metrics.HandshakeRefused(1008);
        listener.RecordObservableInstruments();

        meters.Only.Name.ShouldBe(Telemetry.MeterName);
        seen.Order().ShouldBe(
        [
            "proxygateway.handshakes.active {handshake} 1  Handshakes under way.",
            "proxygateway.handshakes.refused {handshake} 1 code=1008 Handshakes that were refused, by close code.",
            "proxygateway.sessions.active {session} 0  Live sessions, and those that are being decided.",
            "proxygateway.upgrades.refused {request} 1 reason=rate Upgrades that were refused before the backend heard of them, by reason.",
        ]);
    }

    private static string Line(Instrument instrument, long value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string tag = tags.IsEmpty ? "" : $"{tags[0].Key}={tags[0].Value}";
        return $"{instrument.Name} {instrument.Unit} {value} {tag} {instrument.Description}";
    }

    private sealed class Meters : IMeterFactory
    {
        public Meter Only { get; private set; } = null!;

        public Meter Create(MeterOptions options) => Only = new Meter(options);

        public void Dispose() => Only.Dispose();
    }
}
