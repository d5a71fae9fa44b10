using System.Diagnostics.CodeAnalysis;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>What a device may do in a role from now on.</summary>
internal sealed record GrantBody
{
    /// <summary>The scopes.</summary>
    public required ScopeSet Scopes { get; init; }

    /// <summary>From when on the grant covers nothing any more; absent: it has no end.</summary>
    [DisallowNull]
    public DateTimeOffset? Until { get; init; }
}
