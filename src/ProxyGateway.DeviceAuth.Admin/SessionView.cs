using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A live session of this gateway. Times are UTC.</summary>
/// <param name="Id">Numbers the sessions of this gateway.</param>
/// <param name="DeviceId">The device.</param>
/// <param name="Role">The role it is connected as.</param>
/// <param name="Scopes">The scopes it asked for, which its grant covers.</param>
/// <param name="Client">What the device says about itself: never verified.</param>
/// <param name="Address">The client's address; absent if it cannot be told.</param>
/// <param name="Locality">Where it comes from, by the policy in force.</param>
/// <param name="StartedAt">When it asked to be admitted.</param>
/// <param name="EndsAt">When its grant runs out, and the session with it; absent if the grant has no end.</param>
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
