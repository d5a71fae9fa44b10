using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>
/// An operator's block of a device until an operator lifts it: the device is refused without a request, and keeps its grants.
/// </summary>
public sealed record Block : StoredObject
{
    /// <summary>When it was blocked.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The operator.</summary>
    public required string By { get; init; }

    /// <summary>The reason, in the operator's words; null if there is none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }
}
