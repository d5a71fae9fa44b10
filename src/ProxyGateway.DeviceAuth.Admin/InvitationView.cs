using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>An invitation for operators.</summary>
/// <param name="Id">The invitation's id, which is no secret.</param>
/// <param name="Audience">The audience of the grant; absent for <c>default</c>.</param>
/// <param name="Role">The role of the grant.</param>
/// <param name="Scopes">The scopes of the grant.</param>
/// <param name="GrantSeconds">How many seconds the grant lasts from its use on; absent: without end.</param>
/// <param name="Uses">How often it can be used.</param>
/// <param name="Used">How often it was used.</param>
/// <param name="CreatedBy">The operator who made it.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="ExpiresAt">From when on nobody can use it.</param>
public sealed record InvitationView(
    string Id, Audience? Audience, string Role, ScopeSet Scopes, long? GrantSeconds, int Uses, int Used, string CreatedBy, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt)
{
    /// <summary>What its holders show; only in the answer that made it.</summary>
    public string? Secret { get; init; }

    /// <summary>The gateway's first public origin, for the address that is handed out; only in the answer that made it, and absent if none is configured.</summary>
    public string? Origin { get; init; }

    /// <summary>The members without the secret, which must not come into a log.</summary>
    public override string ToString() => $"{nameof(InvitationView)} {{ {Id} }}";

    internal static InvitationView Of(Invitation invitation) => new(
        invitation.Id,
        invitation.Audience.IsDefault ? null : invitation.Audience,
        invitation.Role,
        invitation.Scopes,
        invitation.GrantSeconds,
        invitation.Uses,
        invitation.Used,
        invitation.CreatedBy,
        invitation.CreatedAt,
        invitation.ExpiresAt);
}
