using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Where a pairing request stands.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PairingRequestStatus>))]
public enum PairingRequestStatus
{
    /// <summary>Waits for an operator.</summary>
    [JsonStringEnumMemberName("open")]
    Open,

    /// <summary>An operator approved it, or a part of it.</summary>
    [JsonStringEnumMemberName("approved")]
    Approved,

    /// <summary>An operator rejected it.</summary>
    [JsonStringEnumMemberName("rejected")]
    Rejected,

    /// <summary>Nobody decided in time, or the device was removed.</summary>
    [JsonStringEnumMemberName("expired")]
    Expired,

    /// <summary>Another approval granted what it asks for.</summary>
    [JsonStringEnumMemberName("covered")]
    Covered,
}
