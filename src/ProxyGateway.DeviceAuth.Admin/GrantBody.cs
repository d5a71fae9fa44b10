using System.Diagnostics.CodeAnalysis;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A device's new grant in a role.</summary>
public sealed record GrantBody
{
    /// <summary>The scopes.</summary>
    public required ScopeSet Scopes { get; init; }

    /// <summary>The end of the grant; absent: it has none.</summary>
    [DisallowNull]
    public DateTimeOffset? Until { get; init; }
}
