namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>The operating-system user who owns the other end of a loopback socket.</summary>
/// <param name="State">Whether it was looked up, and whether it was found.</param>
/// <param name="UserId">The numeric user id; meaningful if <see cref="PeerUserState.Known"/>.</param>
public readonly record struct PeerUser(PeerUserState State, uint UserId = 0)
{
    /// <summary>The user with this id.</summary>
    public static PeerUser Known(uint userId) => new(PeerUserState.Known, userId);

    /// <summary>The user is unknown, so no rule that names users matches.</summary>
    public static PeerUser Unknown { get; } = new(PeerUserState.Unknown);
}
