namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>The operating-system user who owns the other end of a loopback socket; not looked up yet if it was never set.</summary>
public readonly record struct PeerUser
{
    internal PeerUser(PeerUserState state, uint userId = 0) => (State, UserId) = (state, userId);

    /// <summary>The user is unknown, so no rule that names users matches.</summary>
    public static PeerUser Unknown { get; } = new(PeerUserState.Unknown);

    internal PeerUserState State { get; }

    /// <summary>The numeric user id; meaningful if <see cref="PeerUserState.Known"/>.</summary>
    internal uint UserId { get; }

    /// <summary>The user with this id.</summary>
    public static PeerUser Known(uint userId) => new(PeerUserState.Known, userId);
}
