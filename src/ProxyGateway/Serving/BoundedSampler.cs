using OpenTelemetry.Trace;

namespace ProxyGateway.Serving;

/// <summary>
/// Decides which requests are traced: a share of them, and no more than so many in a second. What a client says in <c>traceparent</c> about sampling does not
/// count, nor does the trace id that it chooses: else any stranger could have all their requests recorded, or none. A span within a request goes as its parent.
/// </summary>
/// <param name="percent">The share, of 100.</param>
/// <param name="perSecond">The greatest number in a second.</param>
/// <param name="time">The clock.</param>
internal sealed class BoundedSampler(int percent, int perSecond, TimeProvider time) : Sampler
{
    private readonly Lock _lock = new();
    private double _tokens = perSecond;
    private long _filledAt = time.GetTimestamp();

    /// <inheritdoc/>
    public override SamplingResult ShouldSample(in SamplingParameters samplingParameters)
    {
        bool isWithinRequest = samplingParameters.ParentContext is { IsRemote: false } parent && parent.TraceId != default;
        if (isWithinRequest)
            return new SamplingResult(samplingParameters.ParentContext.TraceFlags.HasFlag(System.Diagnostics.ActivityTraceFlags.Recorded));
        bool isTaken = (percent == 100 || Random.Shared.Next(100) < percent) && TryTake();
        return new SamplingResult(isTaken ? SamplingDecision.RecordAndSample : SamplingDecision.Drop, attributes: [], traceStateString: ""); // the client's may be long
    }

    private bool TryTake()
    {
        lock (_lock)
        {
            long now = time.GetTimestamp();
            _tokens = Math.Min(perSecond, _tokens + (time.GetElapsedTime(_filledAt, now).TotalSeconds * perSecond));
            _filledAt = now;
            if (_tokens < 1)
                return false;
            _tokens--;
            return true;
        }
    }
}
