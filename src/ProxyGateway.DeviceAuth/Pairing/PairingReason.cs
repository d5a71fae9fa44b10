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

/// <summary>The names of <see cref="PairingReason"/> on the wire and in configuration.</summary>
public static class PairingReasonNames
{
    /// <summary>The reason's name: <c>not-paired</c>, <c>role-upgrade</c> or <c>scope-upgrade</c>.</summary>
    public static string ToWireName(this PairingReason reason) => reason switch
    {
        PairingReason.NotPaired => "not-paired",
        PairingReason.RoleUpgrade => "role-upgrade",
        PairingReason.ScopeUpgrade => "scope-upgrade",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, message: null),
    };

    /// <summary>The reason with this name; false if there is none.</summary>
    public static bool TryParse(string? name, out PairingReason reason)
    {
        foreach (PairingReason candidate in Enum.GetValues<PairingReason>())
        {
            if (candidate.ToWireName() == name)
            {
                reason = candidate;
                return true;
            }
        }

        reason = default;
        return false;
    }
}
