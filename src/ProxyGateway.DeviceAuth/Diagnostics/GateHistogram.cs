using System.Diagnostics.Metrics;

namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>A histogram that nobody who listens to it can harm: <see cref="GateTelemetry"/>.</summary>
internal sealed class GateHistogram(GateTelemetry telemetry, Histogram<double> histogram)
{
    /// <summary>Whether anybody listens.</summary>
    public bool IsHeard => histogram.Enabled;

    /// <summary>Records a value.</summary>
    public void Record(double value, params ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        try
        {
            histogram.Record(value, tags);
        }
        catch (Exception e)
        {
            telemetry.Failed(e);
        }
    }
}
