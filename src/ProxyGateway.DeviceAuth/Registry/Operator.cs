using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>Whoever decides, and how far they may go.</summary>
/// <param name="Name">The name that records and audit keep.</param>
/// <param name="UpTo">Role -> scopes that they may grant at most; a role that is not in it is refused. Null: anything.</param>
/// <param name="Address">For the audit: where they decide from; null if it cannot be told.</param>
public sealed record Operator(string Name, ImmutableDictionary<string, ScopeSet>? UpTo = null, string? Address = null)
{
    /// <summary>Whether the operator's ceiling allows this grant.</summary>
    public bool MayGrant(string role, ScopeSet scopes, ScopeImplications implications)
    {
        ArgumentNullException.ThrowIfNull(implications);
        return UpTo is null || (UpTo.TryGetValue(role, out ScopeSet? ceiling) && implications.Covers(role, ceiling, scopes));
    }
}
