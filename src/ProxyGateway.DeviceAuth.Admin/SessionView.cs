using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A live session of this gateway. Times are UTC.</summary>
/// <param name="Id">The session's number on this gateway.</param>
/// <param name="DeviceId">The device.</param>
/// <param name="Role">The role of the connection.</param>
/// <param name="Scopes">The requested scopes, which its grant covers.</param>
/// <param name="Client">The device's description of itself: never verified.</param>
/// <param name="Address">The client's address; absent if it is unknown.</param>
/// <param name="Locality">The locality, by the policy in force.</param>
/// <param name="StartedAt">When the device asked to be admitted.</param>
/// <param name="EndsAt">When its grant and so the session ends; absent if the grant has no end.</param>
public sealed record SessionView(
    string Id,
    DeviceId DeviceId,
    string Role,
    ScopeSet Scopes,
    ClientDescription Client,
    string? Address,
    LocalityKind Locality,
    DateTimeOffset StartedAt,
    DateTimeOffset? EndsAt);
