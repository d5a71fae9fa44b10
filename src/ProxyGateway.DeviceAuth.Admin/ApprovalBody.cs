using System.Diagnostics.CodeAnalysis;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The body of an approval.</summary>
public sealed record ApprovalBody
{
    /// <summary>The scopes to grant; absent: all requested ones. Not null, which could mean either.</summary>
    [DisallowNull]
    public ScopeSet? Scopes { get; init; }

    /// <summary>The end of the grant; absent: no end is set.</summary>
    [DisallowNull]
    public DateTimeOffset? Until { get; init; }

    /// <summary>
    /// Role -> scopes that are granted besides, until the same time, even if the device does not ask for them yet; absent: none.
    /// </summary>
    [DisallowNull]
    public IReadOnlyDictionary<string, ScopeSet>? Also { get; init; }
}
