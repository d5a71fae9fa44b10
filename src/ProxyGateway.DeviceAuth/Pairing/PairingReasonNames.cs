namespace ProxyGateway.DeviceAuth.Pairing;

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
