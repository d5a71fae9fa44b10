using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Overview;

/// <summary>Five minutes of a <see cref="StoredOverview"/>. The names are short, since twelve of them share 4 KiB.</summary>
internal sealed record StoredBucket
{
    /// <summary>Which one: five minutes since 1970.</summary>
    [JsonPropertyName("n")]
    public required long Number { get; init; }

    [JsonPropertyName("in")]
    public int Admissions { get; init; }

    /// <summary>In the order of <see cref="RefusalReasons.All"/>.</summary>
    [JsonPropertyName("no")]
    public ImmutableArray<int> Refusals { get; init; } = [];

    [JsonPropertyName("asked")]
    public int RequestsOpened { get; init; }

    [JsonPropertyName("live")]
    public int Sessions { get; init; }

    [JsonPropertyName("open")]
    public int? OpenRequests { get; init; }

    [JsonPropertyName("looks")]
    public int Looks { get; init; }

    [JsonPropertyName("away")]
    public int FailedLooks { get; init; }

    [JsonPropertyName("ms")]
    public int SlowestMilliseconds { get; init; }
}
