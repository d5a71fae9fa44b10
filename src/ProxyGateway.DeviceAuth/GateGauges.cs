using System.Diagnostics.Metrics;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Identity;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth;

/// <summary>What the gate holds at the moment, for those who read the meter. Reading it asks no registry and takes no lock for long.</summary>
internal sealed class GateGauges
{
    private readonly TimeProvider _time;
    private readonly OpenRequests _requests;

    public GateGauges(
        IMeterFactory meters,
        TimeProvider time,
        IDeviceAuthSettings settings,
        HandshakeBudgets handshakes,
        DecisionQueue decisions,
        PairingWaits waits,
        SessionTable sessions,
        RegistryFreshness freshness,
        FreshnessOptions limits,
        OpenRequests requests,
        AssertionKeys assertionKeys,
        INonceKeys nonceKeys)
    {
        (_time, _requests) = (time, requests);
        Meter meter = meters.Create(Telemetry.MeterName);
        meter.CreateObservableUpDownCounter("proxygateway.handshakes.active", () => handshakes.InUse, "{handshake}", "Handshakes under way.");
        meter.CreateObservableUpDownCounter(
            "proxygateway.sessions.active",
            () => sessions.CountByAudience().Select(pair => new Measurement<int>(pair.Count, Tag(TagNames.Audience, pair.Audience.ToString()))),
            "{session}",
            "Live sessions, and those that are being decided, by audience.");
        meter.CreateObservableUpDownCounter(
            "proxygateway.budget.usage",
            () => Budgets(handshakes.InUse, decisions.UnderWay, waits.Count, requests.Current?.Count),
            "{place}",
            "Places that are taken, by budget.");
        meter.CreateObservableUpDownCounter(
            "proxygateway.budget.limit",
            () => Budgets(
                handshakes.MostNow(settings.Current.Limits), DecisionQueue.MaxUnderWay, waits.MostNow, settings.Current.MaxPendingRequests),
            "{place}",
            "Places that there are, by budget.");
        meter.CreateObservableGauge("proxygateway.registry.freshness.age", () => freshness.Age.TotalSeconds, "s", "The time since the last sign of life of the registry's announcements.");
        meter.CreateObservableGauge("proxygateway.registry.freshness.limit", () => limits.StalenessLimit.TotalSeconds, "s", "The age from which on nobody is admitted.");
        meter.CreateObservableGauge("proxygateway.requests.open", MeasureRequests, "{request}", "Open requests in the whole registry, some seconds ago.");
        meter.CreateObservableGauge("proxygateway.requests.oldest.age", MeasureOldest, "s", "The age of the oldest open request in the whole registry; 0 if there is none.");
        meter.CreateObservableGauge(
            "proxygateway.key.age",
            () => KeyAges(assertionKeys.CurrentAge, (nonceKeys as ProofNonceKeys)?.CurrentAge),
            "s",
            "The age of the keys that this gateway signs and makes nonces with, by key.");
    }

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);

    private static IEnumerable<Measurement<int>> Budgets(int handshakes, int decisions, int waits, int? requests)
    {
        yield return new(handshakes, Tag(TagNames.Budget, "handshakes"));
        yield return new(decisions, Tag(TagNames.Budget, "decisions"));
        yield return new(waits, Tag(TagNames.Budget, "waits"));
        if (requests is { } open)
            yield return new(open, Tag(TagNames.Budget, "requests"));
    }

    private static IEnumerable<Measurement<double>> KeyAges(TimeSpan? assertion, TimeSpan? nonce)
    {
        if (assertion is { } ofAssertions)
            yield return new(ofAssertions.TotalSeconds, Tag(TagNames.Key, "assertion"));
        if (nonce is { } ofNonces)
            yield return new(ofNonces.TotalSeconds, Tag(TagNames.Key, "nonce"));
    }

    private IEnumerable<Measurement<int>> MeasureRequests() => _requests.Current is { } known ? [new Measurement<int>(known.Count)] : [];

    private IEnumerable<Measurement<double>> MeasureOldest() => _requests.Current is { } known
        ? [new Measurement<double>(known.Oldest is { } oldest ? Math.Max(0, (_time.GetUtcNow() - oldest).TotalSeconds) : 0)]
        : [];
}
