using System.Collections.Immutable;
using System.Net;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>A named rule that approves without an operator. It matches if every one of its parts does.</summary>
public sealed record AutoApproveRule
{
    /// <summary>The rule's name, which is stored with its approvals; no other rule has it, in upper or lower case.</summary>
    public required string Name { get; init; }

    /// <summary>Matches connections from loopback.</summary>
    public bool FromLoopback { get; init; }

    /// <summary>Matches connections from anywhere.</summary>
    public bool FromAny { get; init; }

    /// <summary>
    /// Matches client addresses in these networks, none of which may lie within loopback. Empty: only the other two parts name places; one
    /// must.
    /// </summary>
    public ImmutableArray<IPNetwork> FromNetworks { get; init; } = [];

    /// <summary>Matches claims that are not covered for one of these reasons; never empty.</summary>
    public required ImmutableArray<PairingReason> Reasons { get; init; }

    /// <summary>
    /// Role -> scopes: matches these roles only, and only if every requested scope is covered. Null: any role and scope; never empty.
    /// </summary>
    public ImmutableDictionary<string, ScopeSet>? UpTo { get; init; }

    /// <summary>Matches claims in these audiences only. Null: any; never empty.</summary>
    public ImmutableSortedSet<Audience>? Audiences { get; init; }

    /// <summary>
    /// Matches loopback peers that run as one of these operating-system users (numeric ids), and nobody else. Null: any user; empty: none.
    /// </summary>
    public ImmutableArray<uint>? Users { get; init; }

    /// <summary>Matches requests of browsers too.</summary>
    public bool Browsers { get; init; }

    /// <summary>How many devices it may pair within an hour, 1 to 1,000,000; past it an operator decides about new ones.</summary>
    public int MaxDevicesPerHour { get; init; } = 1000;

    /// <summary>Whether the rule approves, not considering its <see cref="Users"/>.</summary>
    internal bool MatchesButForUsers(PairingReason reason, DeviceClaim claim, Locality locality, ScopeImplications implications) =>
        Reasons.Contains(reason)
        && (Browsers || !locality.IsBrowser)
        && MatchesFrom(locality)
        && Audiences?.Contains(claim.Audience) != false
        && (UpTo is null || (UpTo.TryGetValue(claim.Role, out ScopeSet? limit) && implications.Covers(claim.Role, limit, claim.Scopes)));

    private bool MatchesFrom(Locality locality)
    {
        // The user is known for loopback sockets only, so a rule that names users matches nothing else.
        if (locality.IsLoopback && FromLoopback)
            return true;
        if (Users is not null && !locality.IsLoopback)
            return false;
        return FromAny || (locality.Address is { } address && Contains(FromNetworks, address));
    }

    internal static bool Contains(ImmutableArray<IPNetwork> networks, IPAddress address)
    {
        foreach (IPNetwork network in networks)
        {
            if (network.Contains(address))
                return true;
        }

        return false;
    }
}
