using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>A live connection of an admitted device, as it is at the moment of asking.</summary>
/// <param name="Id">Numbers the connections of this process, from 1.</param>
/// <param name="Device">The device, which has proved to be this one.</param>
/// <param name="Role">The role it is connected as, which its grant covers.</param>
/// <param name="Scopes">The scopes it asked for, which its grant covers.</param>
/// <param name="Client">What the device says about itself: never verified.</param>
/// <param name="Address">The client's address; null if it cannot be told.</param>
/// <param name="Locality">Where it comes from, by the policy in force.</param>
/// <param name="StartedAt">When it asked to be admitted.</param>
/// <param name="EndsAt">When its grant runs out, and the connection with it; null if the grant has no end.</param>
public sealed record DeviceConnection(
    long Id,
    DeviceId Device,
    string Role,
    ScopeSet Scopes,
    ClientDescription Client,
    string? Address,
    LocalityKind Locality,
    DateTimeOffset StartedAt,
    DateTimeOffset? EndsAt);
