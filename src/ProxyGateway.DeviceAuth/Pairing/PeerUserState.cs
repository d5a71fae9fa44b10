namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Whether a <see cref="PeerUser"/> is known.</summary>
internal enum PeerUserState
{
    /// <summary>It was not looked up yet.</summary>
    NotLookedUp,

    /// <summary>It was looked up and not found.</summary>
    Unknown,

    /// <summary>It was looked up and found.</summary>
    Known,
}
