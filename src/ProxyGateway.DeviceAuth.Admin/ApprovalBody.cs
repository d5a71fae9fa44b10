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

    /// <summary>Role -> scopes that the device is granted besides, whether it asks for them yet or not, until the same time; absent: nothing.</summary>
    [DisallowNull]
    public IReadOnlyDictionary<string, ScopeSet>? Also { get; init; }
}
