namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>The instruments of handshakes and sessions, and the source of their spans. While nobody listens, nothing is measured and nothing allocated.</summary>
internal sealed class HandshakeMetrics
{
    private static readonly string[] StepNames = [.. Enum.GetValues<HandshakeStep>().Select(step => HandshakeOutcomeNames.Hyphenate(step.ToString()))];

    private readonly TimeProvider _time;
    private readonly GateCounter _completed;
    private readonly GateHistogram _duration;
    private readonly GateHistogram _steps;
    private readonly GateHistogram _sessions;

    public HandshakeMetrics(GateTelemetry telemetry, TimeProvider time)
    {
        (Telemetry, _time) = (telemetry, time);
        _completed = telemetry.CreateCounter(
            "proxygateway.handshakes.completed", "{handshake}", "Handshakes that have ended, admitted or refused, by outcome.");
        _duration = telemetry.CreateHistogram(
            "proxygateway.handshake.duration", "s", "How long handshakes took, up to the decision: a refusal that is held back counts when it is made.", Buckets.OfCalls);
        _steps = telemetry.CreateHistogram("proxygateway.handshake.step.duration", "s", "How long the parts of handshakes took.", Buckets.OfCalls);
        _sessions = telemetry.CreateHistogram("proxygateway.session.duration", "s", "How long the sessions of admitted clients lasted.", Buckets.OfSessions);
    }

    /// <summary>Makes the spans.</summary>
    public GateTelemetry Telemetry { get; }

    /// <summary>Whether anybody listens to handshakes.</summary>
    public bool IsHeard => _completed.IsHeard || _duration.IsHeard || _steps.IsHeard || _sessions.IsHeard || GateTelemetry.IsTraced;

    /// <summary>Whether anybody listens to refusals: else nothing needs to be looked up for one.</summary>
    public bool HearsRefusals => _completed.IsHeard;

    /// <summary>A handshake begins. Null if nobody listens.</summary>
    /// <param name="route">The route's id.</param>
    /// <param name="handshake">The handshake's name.</param>
    /// <param name="audience">The route's audience.</param>
    public HandshakeTrace? Begin(string route, string handshake, string audience) =>
        IsHeard ? new HandshakeTrace(this, _time, route, handshake, audience) : null;

    /// <summary>A request is refused before its handshake begins.</summary>
    /// <param name="route">The route's id.</param>
    /// <param name="handshake">The handshake's name.</param>
    /// <param name="audience">The route's audience.</param>
    /// <param name="outcome">Why.</param>
    public void Refused(string route, string handshake, string audience, HandshakeOutcome outcome) => Count(route, handshake, audience, outcome);

    internal static string NameOf(HandshakeStep step) => StepNames[(int)step];

    internal void Completed(HandshakeTrace trace, HandshakeOutcome outcome, TimeSpan elapsed)
    {
        Count(trace.Route, trace.Handshake, trace.Audience, outcome);
        _duration.Record(elapsed.TotalSeconds, new(TagNames.Handshake, trace.Handshake), new(TagNames.Outcome, outcome.ToName()));
    }

    internal void StepEnded(HandshakeTrace trace, HandshakeStep step, TimeSpan elapsed) => _steps.Record(
        elapsed.TotalSeconds, new(TagNames.Route, trace.Route), new(TagNames.Handshake, trace.Handshake), new(TagNames.Step, NameOf(step)));

    internal void SessionEnded(HandshakeTrace trace, string end, TimeSpan elapsed) => _sessions.Record(
        elapsed.TotalSeconds, new(TagNames.Route, trace.Route), new(TagNames.Handshake, trace.Handshake), new(TagNames.Audience, trace.Audience), new(TagNames.End, end));

    private void Count(string route, string handshake, string audience, HandshakeOutcome outcome) => _completed.Add(
        1, new(TagNames.Route, route), new(TagNames.Handshake, handshake), new(TagNames.Audience, audience), new(TagNames.Outcome, outcome.ToName()));
}
