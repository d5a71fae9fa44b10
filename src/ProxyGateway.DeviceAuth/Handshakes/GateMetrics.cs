using System.Diagnostics.Metrics;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>The gate's counters, in the meter <see cref="Telemetry.MeterName"/>.</summary>
internal sealed class GateMetrics
{
    private readonly Counter<long> _upgradesRefused;
    private readonly Counter<long> _handshakesRefused;

    public GateMetrics(IMeterFactory meters, HandshakeBudgets handshakes, SessionTable sessions)
    {
        Meter meter = meters.Create(Telemetry.MeterName);
        _upgradesRefused = meter.CreateCounter<long>(
            "proxygateway.upgrades.refused", "{request}", "Upgrades that were refused before the backend heard of them, by reason.");
        _handshakesRefused = meter.CreateCounter<long>(
            "proxygateway.handshakes.refused", "{handshake}", "Handshakes that were refused, by close code.");
        meter.CreateObservableUpDownCounter("proxygateway.handshakes.active", () => handshakes.InUse, "{handshake}", "Handshakes under way.");
        meter.CreateObservableUpDownCounter("proxygateway.sessions.active", () => sessions.Count, "{session}", "Live sessions, and those that are being decided.");
    }

    /// <summary>Counts a refused upgrade.</summary>
    /// <param name="reason">One of a few words.</param>
    public void UpgradeRefused(string reason) => _upgradesRefused.Add(1, KeyValuePair.Create<string, object?>("reason", reason));

    /// <summary>Counts a refused handshake.</summary>
    /// <param name="code">The close code.</param>
    public void HandshakeRefused(ushort code) => _handshakesRefused.Add(1, KeyValuePair.Create<string, object?>("code", code));
}
