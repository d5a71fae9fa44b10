namespace ProxyGateway.DeviceAuth.Overview;

/// <summary>What happened in a few minutes, on all gateways.</summary>
/// <param name="From">Its start, in UTC.</param>
/// <param name="Admissions">How often a device, or a client without one, was admitted.</param>
/// <param name="Refusals">How often one was refused, by one of <see cref="RefusalReasons"/>; those that did not occur are absent.</param>
/// <param name="RequestsOpened">How many pairing requests were made.</param>
/// <param name="Sessions">The most live sessions that a look has found, added up over the gateways.</param>
/// <param name="OpenRequests">The most open requests that a look has found, counted up to 200; null if none was found out.</param>
/// <param name="RegistryLooks">How often a gateway has looked whether the registry answers.</param>
/// <param name="RegistryFailures">How often it did not.</param>
/// <param name="RegistryMilliseconds">The slowest answer, in milliseconds.</param>
public sealed record OverviewBucket(
    DateTimeOffset From,
    long Admissions,
    IReadOnlyDictionary<string, long> Refusals,
    long RequestsOpened,
    long Sessions,
    int? OpenRequests,
    long RegistryLooks,
    long RegistryFailures,
    int RegistryMilliseconds);
