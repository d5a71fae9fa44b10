using System.Collections.Immutable;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Overview;

/// <summary>
/// What one process has counted in one hour: a document in the registry, which no other process writes. So nothing that a newer gateway has in it is lost.
/// </summary>
internal sealed record StoredOverview
{
    /// <summary>The most characters of a gateway's name.</summary>
    public const int MaxGateway = 64;

    /// <summary>Hours since 1970, by the clock of the gateway.</summary>
    public required long Hour { get; init; }

    /// <summary>The name of the gateway's machine.</summary>
    public required string Gateway { get; init; }

    /// <summary>When it was written, by the registry's clock.</summary>
    public required DateTimeOffset WrittenAt { get; init; }

    /// <summary>Live sessions when it was written.</summary>
    public long Sessions { get; init; }

    /// <summary>Whether the process was about to end then.</summary>
    public bool Left { get; init; }

    /// <summary>Those in which something was counted, twelve at most.</summary>
    public required ImmutableArray<StoredBucket> Buckets { get; init; }

    public byte[] Serialize() => JsonSerializer.SerializeToUtf8Bytes(this, OverviewJsonContext.Default.StoredOverview);

    /// <summary>A document that was read; null if it is none.</summary>
    public static StoredOverview? Parse(SharedDocument document)
    {
        try
        {
            StoredOverview? read = JsonSerializer.Deserialize(document.Content.Span, OverviewJsonContext.Default.StoredOverview);
            return read is { Buckets: { IsDefault: false, Length: <= OverviewRing.PerHour }, Gateway.Length: <= MaxGateway }
                && read.Buckets.All(b => b is not null && b.Number / OverviewRing.PerHour == read.Hour) ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
