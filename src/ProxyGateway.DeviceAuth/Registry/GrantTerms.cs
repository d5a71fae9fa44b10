using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>An operator's grant.</summary>
/// <param name="Scopes">The scopes; null for all that were requested.</param>
/// <param name="Until">The end of the grant; null if none is named.</param>
public sealed record GrantTerms(ScopeSet? Scopes = null, DateTimeOffset? Until = null)
{
    /// <summary>
    /// With the approval of a request: role -> scopes that are granted at the same time in the request's audience, even if the device does not ask for them
    /// yet.
    /// </summary>
    public ImmutableSortedDictionary<string, ScopeSet> Also { get; init; } = ImmutableSortedDictionary.Create<string, ScopeSet>(StringComparer.Ordinal);
}
