using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Why the device's record does not cover a claim.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PairingReason>))]
public enum PairingReason
{
    /// <summary>The device is unknown, or nothing was ever approved for it.</summary>
    [JsonStringEnumMemberName("not-paired")]
    NotPaired,

    /// <summary>The device has no grant in the requested role.</summary>
    [JsonStringEnumMemberName("role-upgrade")]
    RoleUpgrade,

    /// <summary>The device has the role, but not every requested scope.</summary>
    [JsonStringEnumMemberName("scope-upgrade")]
    ScopeUpgrade,
}
