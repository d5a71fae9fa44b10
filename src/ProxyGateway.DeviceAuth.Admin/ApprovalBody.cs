using System.Diagnostics.CodeAnalysis;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>What an approval may say.</summary>
internal sealed record ApprovalBody
{
    /// <summary>The scopes to grant; absent: all that are asked for. Not null, which could be meant either way.</summary>
    [DisallowNull]
    public ScopeSet? Scopes { get; init; }

    /// <summary>From when on the grant covers nothing any more; absent: no end is set.</summary>
    [DisallowNull]
    public DateTimeOffset? Until { get; init; }
}
