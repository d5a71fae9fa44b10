namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>How much is known of a <see cref="PeerUser"/>.</summary>
public enum PeerUserState
{
    /// <summary>Nobody asked yet.</summary>
    NotLookedUp,

    /// <summary>Asked, and it cannot be told.</summary>
    Unknown,

    /// <summary>Asked and told.</summary>
    Known,
}
