using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>
/// The gate's meter and its spans: no other class calls an instrument. Who listens to one runs within the call, and may throw: then a removed device would keep its
/// sessions, since the one that was counted first ended the rest, a refused one its place, and the audit would lack an entry. What a listener throws is logged, once
/// a minute, and goes no further.
/// </summary>
public sealed partial class GateTelemetry
{
    private static readonly ActivitySource Source = new(Telemetry.ActivitySourceName);

    private readonly ILogger _logger;
    private readonly Throttle _lines;

    /// <summary>The telemetry of a gate.</summary>
    /// <param name="meters">The factory of its meter.</param>
    /// <param name="time">The clock of the log.</param>
    /// <param name="logger">The log of listeners that throw.</param>
    public GateTelemetry(IMeterFactory meters, TimeProvider time, ILogger<GateTelemetry> logger)
    {
        ArgumentNullException.ThrowIfNull(meters);
        (_logger, _lines) = (logger, Throttle.OncePerMinute(time));
        Meter = meters.Create(Telemetry.MeterName);
    }

    /// <summary>The meter, for instruments that are only observed: whoever reads them gets what goes wrong.</summary>
    public Meter Meter { get; }

    /// <summary>Whether anybody listens to spans.</summary>
    public static bool IsTraced => Source.HasListeners();

    /// <summary>A counter of the meter.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="unit">Its unit.</param>
    /// <param name="description">What it counts.</param>
    public GateCounter CreateCounter(string name, string unit, string description) => new(this, Meter.CreateCounter<long>(name, unit, description));

    /// <summary>
    /// Begins a span that does not become the current one: a handshake's span ends long before the request that it belongs to, and what the proxy does
    /// meanwhile is no part of it.
    /// </summary>
    /// <param name="name">Its name.</param>
    /// <param name="parent">Its parent.</param>
    /// <returns>Null if nobody records it, or a listener throws.</returns>
    public Activity? BeginSpan(string name, ActivityContext parent)
    {
        Activity? current = Activity.Current;
        try
        {
            return Source.StartActivity(name, ActivityKind.Internal, parent);
        }
        catch (Exception e)
        {
            Failed(e);
            return null;
        }
        finally
        {
            Activity.Current = current;
        }
    }

    /// <summary>Ends a span. The current one stays the current one.</summary>
    /// <param name="span">The span.</param>
    public void EndSpan(Activity span)
    {
        ArgumentNullException.ThrowIfNull(span);
        Activity? current = Activity.Current;
        try
        {
            span.Stop();
        }
        catch (Exception e)
        {
            Failed(e);
        }
        finally
        {
            Activity.Current = current;
        }
    }

    internal GateHistogram CreateHistogram(string name, string unit, string description, InstrumentAdvice<double> buckets) =>
        new(this, Meter.CreateHistogram(name, unit, description, tags: null, buckets));

    internal void Failed(Exception exception)
    {
        lock (_lines)
        {
            if (!_lines.TryPass())
                return;
        }

        LogFailed(exception);
    }

    [LoggerMessage(1403, LogLevel.Error, "What listens to the gateway's metrics or spans has failed, and may lack some of them. Nothing else depends on it.")]
    private partial void LogFailed(Exception exception);
}
