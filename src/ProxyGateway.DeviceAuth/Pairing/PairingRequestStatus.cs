using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>The state of a pairing request.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PairingRequestStatus>))]
public enum PairingRequestStatus
{
    /// <summary>It waits for an operator.</summary>
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

    /// <summary>Another approval granted its scopes.</summary>
    [JsonStringEnumMemberName("covered")]
    Covered,
}
