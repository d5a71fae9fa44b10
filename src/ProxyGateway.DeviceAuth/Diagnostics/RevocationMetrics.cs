namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>Measures how long a session lasts after the change that ends it was heard of.</summary>
internal sealed class RevocationMetrics(GateTelemetry telemetry)
{
    private static readonly string[] Names = [.. Enum.GetValues<RevocationTrigger>().Select(trigger => HandshakeOutcomeNames.Hyphenate(trigger.ToString()))];

    private readonly GateHistogram _delay = telemetry.CreateHistogram(
        "proxygateway.revocation.delay", "s", "From a change of a device's record, as this gateway heard of it, to the close of a session that the record no longer covers.", Buckets.OfRevocations);

    /// <summary>Every trigger's name.</summary>
    public static IReadOnlyList<string> Triggers => Names;

    public void Closed(RevocationTrigger trigger, TimeSpan delay) => _delay.Record(delay.TotalSeconds, new KeyValuePair<string, object?>(TagNames.Trigger, Names[(int)trigger]));
}
