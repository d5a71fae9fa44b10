using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>An operator and their ceiling.</summary>
/// <param name="Name">The name in records and audit.</param>
/// <param name="UpTo">The ceiling: role -> scopes that they may grant at most; other roles are refused. Null: anything.</param>
/// <param name="Address">For the audit: their address; null if it is unknown.</param>
public sealed record Operator(string Name, ImmutableDictionary<string, ScopeSet>? UpTo = null, string? Address = null)
{
    /// <summary>The audiences in which they may grant; others are refused. Null: any.</summary>
    public ImmutableSortedSet<Audience>? Audiences { get; init; }

    /// <summary>Whether the ceiling allows a legacy device, which counts as approved for no role in particular.</summary>
    internal bool MayApproveLegacy => UpTo is null && Audiences?.Contains(Audience.Default) != false;

    /// <summary>Whether the operator's ceiling allows this grant.</summary>
    public bool MayGrant(GrantKey key, ScopeSet scopes, ScopeImplications implications)
    {
        ArgumentNullException.ThrowIfNull(implications);
        return Audiences?.Contains(key.Audience) != false
            && (UpTo is null || (UpTo.TryGetValue(key.Role, out ScopeSet? ceiling) && implications.Covers(key.Role, ceiling, scopes)));
    }
}
