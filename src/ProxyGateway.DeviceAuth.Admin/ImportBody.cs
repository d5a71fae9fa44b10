using System.Diagnostics.CodeAnalysis;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Devices of another gateway.</summary>
internal sealed record ImportBody
{
    /// <summary>Whether only to report what would happen.</summary>
    public bool DryRun { get; init; }

    /// <summary>The devices.</summary>
    public required IReadOnlyList<ImportDeviceBody> Devices { get; init; }
}

/// <summary>A device of another gateway.</summary>
internal sealed record ImportDeviceBody
{
    /// <summary>The device's id; absent: that of its key.</summary>
    [DisallowNull]
    public string? Id { get; init; }

    /// <summary>The raw public key, 32 bytes, as base64url or in another form that devices send.</summary>
    public required string PublicKey { get; init; }

    /// <summary>Role -> the grant there; empty for a device that was paired without any recorded role.</summary>
    public required IReadOnlyDictionary<string, ImportGrantBody> Grants { get; init; }

    /// <summary>It was paired without any recorded role.</summary>
    public bool Legacy { get; init; }

    /// <summary>Its label.</summary>
    [DisallowNull]
    public string? Label { get; init; }

    /// <summary>Its description of itself.</summary>
    [DisallowNull]
    public ClientDescription? Client { get; init; }
}

/// <summary>A grant of another gateway.</summary>
internal sealed record ImportGrantBody
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

/// <summary>The rules' parts of another gateway's grant.</summary>
internal sealed record ImportPartsBody
{
    /// <summary>Rule -> the scopes that it alone approved.</summary>
    public required IReadOnlyDictionary<string, ScopeSet> Rules { get; init; }

    /// <summary>The rule that approved the role; absent: an operator did.</summary>
    [DisallowNull]
    public string? Role { get; init; }
}
