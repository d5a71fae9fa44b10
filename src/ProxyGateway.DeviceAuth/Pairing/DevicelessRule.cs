using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>
/// Admits clients that have no device, as some command lines and helper processes on the gateway's own machine have none. What stands in for the
/// device's proof is the operating-system user at the other end of the socket and the shared token: any process of these users that knows the
/// token gets in. So every part is required, and nothing of this is remembered.
/// </summary>
public sealed record DevicelessRule
{
    /// <summary>The operating-system users (numeric ids) whose processes are admitted.</summary>
    public required ImmutableArray<uint> Users { get; init; }

    /// <summary>Role -> scopes: the roles that they may have, and the scopes that cover what they may ask for.</summary>
    public required ImmutableDictionary<string, ScopeSet> UpTo { get; init; }

    /// <summary>The audiences in which they are admitted; never empty. Unlike a device's grant nothing here names one, so it is <c>default</c> alone unless others are named.</summary>
    public ImmutableSortedSet<Audience> Audiences { get; init; } = [Audience.Default];

    /// <summary>What speaks against admitting a client; the first that does.</summary>
    /// <param name="ask">What the client asks for.</param>
    /// <param name="locality">Where it comes from; the user at the other end was looked up.</param>
    /// <param name="implications">Which scopes include which others.</param>
    internal DevicelessObjection Object(DevicelessAsk ask, Locality locality, ScopeImplications implications)
    {
        if (!locality.IsLoopback)
            return DevicelessObjection.NotLoopback;
        if (locality.IsBrowser)
            return DevicelessObjection.Browser; // a page of anybody's can open a WebSocket to this machine
        if (locality.Peer.State != PeerUserState.Known)
            return DevicelessObjection.UnknownUser;
        if (!Users.Contains(locality.Peer.UserId))
            return DevicelessObjection.OtherUser;
        if (!ask.ShowsSharedToken)
            return DevicelessObjection.SharedToken;
        if (ask.ActsForAnother)
            return DevicelessObjection.ActsForAnother; // no signature binds the one whom it names
        if (!Audiences.Contains(ask.Audience))
            return DevicelessObjection.Audience;
        if (!UpTo.TryGetValue(ask.Role, out ScopeSet? limit))
            return DevicelessObjection.Role;
        return implications.Covers(ask.Role, limit, ask.Scopes) ? DevicelessObjection.None : DevicelessObjection.Scopes;
    }
}
