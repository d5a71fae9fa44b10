using System.Diagnostics;

namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>
/// Measures one handshake: its outcome, its time and that of its parts, and later its session. It is complete once; later outcomes do not count. Thread-safe.
/// </summary>
internal sealed class HandshakeTrace
{
    private readonly HandshakeMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly long _startedAt;
    private readonly Activity? _span;
    private HandshakeOutcome? _noted;
    private long _openedAt;
    private bool _isComplete;
    private Activity? _innermost;
    private Part? _backend;

    internal HandshakeTrace(HandshakeMetrics metrics, TimeProvider time, string route, string handshake, string audience)
    {
        (_metrics, _time, Route, Handshake, Audience) = (metrics, time, route, handshake, audience);
        _startedAt = time.GetTimestamp();
        _innermost = _span = _metrics.Telemetry.BeginSpan("handshake", Activity.Current?.Context ?? default);
        _span?.SetTag(TagNames.Route, route).SetTag(TagNames.Handshake, handshake).SetTag(TagNames.Audience, audience);
    }

    public string Route { get; private set; }

    public string Handshake { get; }

    public string Audience { get; private set; }

    /// <summary>Says what the handshake is for, where that turns out after its beginning.</summary>
    /// <param name="route">The route's id, of the configuration and not of the client.</param>
    /// <param name="audience">The audience of a route, likewise.</param>
    public void IsFor(string route, string audience)
    {
        (Route, Audience) = (route, audience);
        _span?.SetTag(TagNames.Route, route).SetTag(TagNames.Audience, audience);
    }

    /// <summary>The device has proved its key. Only the span has it, in short.</summary>
    /// <param name="device">Its id.</param>
    public void Proved(Pairing.DeviceId device) => _span?.SetTag(TagNames.Device, device.ToString()[..Pairing.DeviceId.FingerprintDigits]);

    /// <summary>A part begins; it ends when what this returns is disposed of.</summary>
    public Part Begin(HandshakeStep step) => new(this, step);

    /// <summary>From now on the backend is waited for.</summary>
    public void AwaitBackend() => _backend ??= Begin(HandshakeStep.Backend);

    /// <summary>The backend has answered, or is no longer waited for.</summary>
    public void BackendAnswered()
    {
        _backend?.Dispose();
        _backend = null;
    }

    /// <summary>Notes an outcome for <see cref="Complete"/>. The first counts: it is the cause of what comes later.</summary>
    public void Note(HandshakeOutcome outcome)
    {
        lock (_lock)
        {
            _noted ??= outcome;
        }
    }

    /// <summary>The handshake is over.</summary>
    /// <param name="outcome">The outcome, if none was noted.</param>
    public void Complete(HandshakeOutcome outcome)
    {
        lock (_lock)
        {
            if (_isComplete)
                return;
            _isComplete = true;
            outcome = _noted ?? outcome;
        }

        BackendAnswered();
        if (outcome == HandshakeOutcome.Admitted)
            _openedAt = _time.GetTimestamp();
        _metrics.Completed(this, outcome, _time.GetElapsedTime(_startedAt));
        if (_span is null)
            return;
        _span.SetTag(TagNames.Outcome, outcome.ToName());
        if (outcome.IsFault())
            _span.SetStatus(ActivityStatusCode.Error);
        _metrics.Telemetry.EndSpan(_span);
    }

    /// <summary>The session of the admitted client has ended.</summary>
    /// <param name="end">Why, of a closed list.</param>
    public void SessionEnded(string end)
    {
        if (_openedAt != 0)
            _metrics.SessionEnded(this, end, _time.GetElapsedTime(_openedAt));
    }

    /// <summary>A part under way.</summary>
    internal sealed class Part : IDisposable
    {
        private readonly HandshakeTrace _trace;
        private readonly HandshakeStep _step;
        private readonly long _startedAt;
        private readonly Activity? _outer;
        private readonly Activity? _span;

        public Part(HandshakeTrace trace, HandshakeStep step)
        {
            (_trace, _step, _outer) = (trace, step, trace._innermost);
            _startedAt = trace._time.GetTimestamp();
            if (_outer is not null)
                trace._innermost = _span = trace._metrics.Telemetry.BeginSpan(HandshakeMetrics.NameOf(step), _outer.Context) ?? _outer;
        }

        public void Dispose()
        {
            _trace._metrics.StepEnded(_trace, _step, _trace._time.GetElapsedTime(_startedAt));
            _trace._innermost = _outer;
            if (_span is not null && !ReferenceEquals(_span, _outer))
                _trace._metrics.Telemetry.EndSpan(_span);
        }
    }
}
