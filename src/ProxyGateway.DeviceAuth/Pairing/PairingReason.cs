using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Why a claim is not covered by what the registry has on record.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PairingReason>))]
public enum PairingReason
{
    /// <summary>The device is unknown, or nothing was ever approved for it.</summary>
    [JsonStringEnumMemberName("not-paired")]
    NotPaired,

    /// <summary>The device holds no grant for the role it asks for.</summary>
    [JsonStringEnumMemberName("role-upgrade")]
    RoleUpgrade,

    /// <summary>The device holds the role, but not every scope it asks for.</summary>
    [JsonStringEnumMemberName("scope-upgrade")]
    ScopeUpgrade,
}
