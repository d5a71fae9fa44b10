using System.Diagnostics.CodeAnalysis;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>What an operator invites to.</summary>
public sealed record InvitationBody
{
    /// <summary>The audience of the grant; absent: <c>default</c>.</summary>
    [DisallowNull]
    public Audience? Audience { get; init; }

    /// <summary>The role of the grant.</summary>
    public required string Role { get; init; }

    /// <summary>The scopes of the grant; absent: none.</summary>
    [DisallowNull]
    public ScopeSet? Scopes { get; init; }

    /// <summary>How many seconds the grant lasts from its use on; absent: without end.</summary>
    [DisallowNull]
    public int? GrantSeconds { get; init; }

    /// <summary>How often the invitation can be used; absent: once.</summary>
    [DisallowNull]
    public int? Uses { get; init; }

    /// <summary>For how many seconds it can be used; absent: 600.</summary>
    [DisallowNull]
    public int? ValidSeconds { get; init; }
}
