using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>A live connection of an admitted client, at the time of the call.</summary>
/// <param name="Id">Numbers the connections of this process, from 1.</param>
/// <param name="Device">The device, which has proved its id; null if the client has none (<see cref="DevicelessRule"/>).</param>
/// <param name="Role">The role of the connection, which its grant or the rule covers.</param>
/// <param name="Scopes">The requested scopes, which its grant or the rule covers.</param>
/// <param name="Client">The client's description of itself: never verified.</param>
/// <param name="Address">The client's address; null if it is unknown.</param>
/// <param name="Locality">The locality, by the policy in force.</param>
/// <param name="StartedAt">When the client asked to be admitted.</param>
/// <param name="EndsAt">When its grant and so the connection ends; null if the grant has no end.</param>
public sealed record DeviceConnection(
    long Id,
    DeviceId? Device,
    string Role,
    ScopeSet Scopes,
    ClientDescription Client,
    string? Address,
    LocalityKind Locality,
    DateTimeOffset StartedAt,
    DateTimeOffset? EndsAt)
{
    /// <summary>The audience of the route.</summary>
    public Audience Audience { get; init; }

    /// <summary>The operating-system user (numeric id) whose it is; null if it is a device's.</summary>
    public uint? User { get; init; }
}
