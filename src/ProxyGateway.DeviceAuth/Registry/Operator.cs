using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>An operator and their ceiling.</summary>
/// <param name="Name">The name in records and audit.</param>
/// <param name="UpTo">The ceiling: role -> scopes that they may grant at most; other roles are refused. Null: anything.</param>
/// <param name="Address">For the audit: their address; null if it is unknown.</param>
public sealed record Operator(string Name, ImmutableDictionary<string, ScopeSet>? UpTo = null, string? Address = null)
{
    /// <summary>Whether the operator's ceiling allows this grant.</summary>
    public bool MayGrant(string role, ScopeSet scopes, ScopeImplications implications)
    {
        ArgumentNullException.ThrowIfNull(implications);
        return UpTo is null || (UpTo.TryGetValue(role, out ScopeSet? ceiling) && implications.Covers(role, ceiling, scopes));
    }
}
