using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What an operator invites to.</summary>
/// <param name="Audience">The audience of the grant.</param>
/// <param name="Role">The role of the grant.</param>
/// <param name="Scopes">The scopes of the grant.</param>
/// <param name="ValidFor">How long it can be used: a minute to <see cref="MaxValidFor"/>.</param>
public sealed record InvitationTerms(Audience Audience, string Role, ScopeSet Scopes, TimeSpan ValidFor)
{
    /// <summary>The longest time in which an invitation can be used.</summary>
    public static TimeSpan MaxValidFor { get; } = TimeSpan.FromDays(30);

    /// <summary>The longest time that a grant can last which has an end.</summary>
    public static TimeSpan MaxGrantFor { get; } = TimeSpan.FromDays(3650);

    /// <summary>How long the grant lasts, from its use on: a second to <see cref="MaxGrantFor"/>; null: without end.</summary>
    public TimeSpan? GrantFor { get; init; }

    /// <summary>How often it can be used, 1 to <see cref="Invitation.MaxUses"/>.</summary>
    public int Uses { get; init; } = 1;
}
