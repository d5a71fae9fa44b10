using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A live session of this gateway.</summary>
internal sealed record SessionView(
    string Id,
    DeviceId DeviceId,
    string Role,
    ScopeSet Scopes,
    ClientDescription Client,
    string? Address,
    LocalityKind Locality,
    DateTimeOffset StartedAt,
    DateTimeOffset? EndsAt);
