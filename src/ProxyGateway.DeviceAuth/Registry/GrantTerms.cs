using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What an operator grants.</summary>
/// <param name="Scopes">The scopes; null for all that was asked for.</param>
/// <param name="Until">From when on the grant covers nothing any more; null if nobody says.</param>
public sealed record GrantTerms(ScopeSet? Scopes = null, DateTimeOffset? Until = null);
