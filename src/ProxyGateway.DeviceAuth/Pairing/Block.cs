using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>An operator keeps a device out until an operator lets it in again: it is refused without a request, and keeps its grants.</summary>
public sealed record Block : StoredObject
{
    /// <summary>Since when.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The operator.</summary>
    public required string By { get; init; }

    /// <summary>Why, in the operator's words; null if they gave none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }
}
