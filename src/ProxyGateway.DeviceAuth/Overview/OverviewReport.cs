using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Overview;

/// <summary>What the gateways of the registry have admitted and refused. Times are UTC.</summary>
/// <param name="From">The start of the first bucket.</param>
/// <param name="Until">The end of the last bucket, which has not ended yet.</param>
/// <param name="BucketSeconds">How long a bucket is, in seconds.</param>
/// <param name="Admissions">Admissions of all buckets.</param>
/// <param name="Refusals">Refusals of all buckets, by one of <see cref="RefusalReasons"/>; those that did not occur are absent.</param>
/// <param name="RequestsOpened">Pairing requests that were made, of all buckets.</param>
/// <param name="Sessions">Sessions that are live now, or being decided.</param>
/// <param name="OpenRequests">Requests that are open now, counted up to 200; null if the registry does not answer.</param>
/// <param name="Gateways">The gateways that run now, this one first.</param>
/// <param name="Buckets">The buckets in which a gateway ran, oldest first.</param>
public sealed record OverviewReport(
    DateTimeOffset From,
    DateTimeOffset Until,
    int BucketSeconds,
    long Admissions,
    IReadOnlyDictionary<string, long> Refusals,
    long RequestsOpened,
    long Sessions,
    int? OpenRequests,
    ImmutableArray<OverviewGateway> Gateways,
    ImmutableArray<OverviewBucket> Buckets)
{
    /// <summary>True if the other gateways' counts could not be read, and these are of this gateway alone; else null.</summary>
    public bool? ThisGatewayAlone { get; init; }
}
