using System.Diagnostics.CodeAnalysis;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A grant of another gateway.</summary>
public sealed record ImportGrantBody
{
    /// <summary>The scopes; absent if none are recorded, which is not the same as an approval of no scopes.</summary>
    [DisallowNull]
    public ScopeSet? Scopes { get; init; }

    /// <summary>The end of the grant; absent: it has none.</summary>
    [DisallowNull]
    public DateTimeOffset? Until { get; init; }

    /// <summary>The rules' parts there; absent: none, and the whole grant is the importing operator's.</summary>
    [DisallowNull]
    public ImportPartsBody? Parts { get; init; }
}
