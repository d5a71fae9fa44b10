using System.Diagnostics.Metrics;

namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>A counter that nobody who listens to it can harm: <see cref="GateTelemetry"/>.</summary>
public sealed class GateCounter
{
    private readonly GateTelemetry _telemetry;
    private readonly Counter<long> _counter;

    internal GateCounter(GateTelemetry telemetry, Counter<long> counter) => (_telemetry, _counter) = (telemetry, counter);

    /// <summary>Whether anybody listens: else attributes need not be looked up.</summary>
    public bool IsHeard => _counter.Enabled;

    /// <summary>Adds to it.</summary>
    /// <param name="count">How many.</param>
    /// <param name="tags">The attributes.</param>
    public void Add(long count, params ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        try
        {
            _counter.Add(count, tags);
        }
        catch (Exception e)
        {
            _telemetry.Failed(e);
        }
    }
}
