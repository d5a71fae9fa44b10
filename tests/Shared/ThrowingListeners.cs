using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace ProxyGateway.Tests.Shared;

/// <summary>
/// Listens to all instruments of one meter factory and to all spans of one trace, and throws at each call. Other tests run beside it, whose spans it leaves alone.
/// </summary>
internal sealed class ThrowingListeners : IDisposable
{
    private readonly MeterListener _meters;
    private readonly ActivityListener _spans;
    private int _thrown;

    /// <param name="meters">The factory.</param>
    /// <param name="trace">The trace.</param>
    /// <param name="at">When it throws for a span.</param>
    public ThrowingListeners(IMeterFactory meters, ActivityTraceId trace, SpanMoment at)
    {
        _meters = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (ReferenceEquals(instrument.Meter.Scope, meters) && instrument.Meter.Name == "ProxyGateway.DeviceAuth" && !instrument.IsObservable)
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        _meters.SetMeasurementEventCallback<long>((_, _, _, _) => Throw());
        _meters.SetMeasurementEventCallback<double>((_, _, _, _) => Throw());
        _meters.Start();
        _spans = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "ProxyGateway.DeviceAuth",
            Sample = (ref options) => options.TraceId == trace ? ThrowAt(SpanMoment.Sampled) : ActivitySamplingResult.None,
            ActivityStarted = span => ThrowOf(span, SpanMoment.Started),
            ActivityStopped = span => ThrowOf(span, SpanMoment.Stopped),
        };
        ActivitySource.AddActivityListener(_spans);

        void ThrowOf(Activity span, SpanMoment moment)
        {
            if (span.TraceId == trace)
                ThrowAt(moment);
        }

        ActivitySamplingResult ThrowAt(SpanMoment moment)
        {
            if (moment == at)
                Throw();
            return ActivitySamplingResult.AllDataAndRecorded;
        }
    }

    /// <summary>How often it has thrown.</summary>
    public int Thrown => Volatile.Read(ref _thrown);

    public void Dispose()
    {
        _meters.Dispose();
        _spans.Dispose();
    }

    private void Throw()
    {
        Interlocked.Increment(ref _thrown);
        throw new InvalidOperationException("The listener fails.");
    }
}
