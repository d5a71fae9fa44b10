using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A live session of this gateway. Times are UTC.</summary>
/// <param name="Id">The session's number on this gateway.</param>
/// <param name="DeviceId">The device; absent if the client has none.</param>
/// <param name="User">The operating-system user (numeric id) of a client without a device; absent for a device.</param>
/// <param name="Role">The role of the connection.</param>
/// <param name="Scopes">The requested scopes, which its grant or the rule covers.</param>
/// <param name="Client">The client's description of itself: never verified.</param>
/// <param name="Address">The client's address; absent if it is unknown.</param>
/// <param name="Locality">The locality, by the policy in force.</param>
/// <param name="StartedAt">When the client asked to be admitted.</param>
/// <param name="EndsAt">When its grant and so the session ends; absent if the grant has no end.</param>
public sealed record SessionView(
    string Id,
    DeviceId? DeviceId,
    uint? User,
    string Role,
    ScopeSet Scopes,
    ClientDescription Client,
    string? Address,
    LocalityKind Locality,
    DateTimeOffset StartedAt,
    DateTimeOffset? EndsAt)
{
    /// <summary>The audience of the route; absent for <c>default</c>.</summary>
    public Audience? Audience { get; init; }
}
