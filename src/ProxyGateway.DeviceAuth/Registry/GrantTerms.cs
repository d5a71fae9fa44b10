using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>An operator's grant.</summary>
/// <param name="Scopes">The scopes; null for all that were requested.</param>
/// <param name="Until">The end of the grant; null if none is named.</param>
public sealed record GrantTerms(ScopeSet? Scopes = null, DateTimeOffset? Until = null);
