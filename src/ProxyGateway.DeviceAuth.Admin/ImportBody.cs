using System.Diagnostics.CodeAnalysis;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Devices of another gateway.</summary>
internal sealed record ImportBody
{
    /// <summary>Whether to tell only what would become of them.</summary>
    public bool DryRun { get; init; }

    /// <summary>The devices.</summary>
    public required IReadOnlyList<ImportDeviceBody> Devices { get; init; }
}

/// <summary>A device of another gateway.</summary>
internal sealed record ImportDeviceBody
{
    /// <summary>The device's id; absent: the one that its key has.</summary>
    [DisallowNull]
    public string? Id { get; init; }

    /// <summary>The raw public key, 32 bytes, as base64url or in another form that devices send.</summary>
    public required string PublicKey { get; init; }

    /// <summary>Role -> what was approved there; empty for a device that was paired without any role on record.</summary>
    public required IReadOnlyDictionary<string, ImportGrantBody> Grants { get; init; }

    /// <summary>It was paired without any role on record.</summary>
    public bool Legacy { get; init; }

    /// <summary>What operators call it.</summary>
    [DisallowNull]
    public string? Label { get; init; }

    /// <summary>What it says about itself.</summary>
    [DisallowNull]
    public ClientDescription? Client { get; init; }
}

/// <summary>A grant of another gateway.</summary>
internal sealed record ImportGrantBody
{
    /// <summary>The scopes; absent if none are on record, which is not the same as an approval of no scopes.</summary>
    [DisallowNull]
    public ScopeSet? Scopes { get; init; }

    /// <summary>From when on it covers nothing any more; absent: it has no end.</summary>
    [DisallowNull]
    public DateTimeOffset? Until { get; init; }

    /// <summary>What of it a rule approved there; absent: nothing, and all of it is the operator's who imports it.</summary>
    [DisallowNull]
    public ImportPartsBody? Parts { get; init; }
}

/// <summary>What of a grant of another gateway is a rule's.</summary>
internal sealed record ImportPartsBody
{
    /// <summary>Rule -> the scopes that it alone approved.</summary>
    public required IReadOnlyDictionary<string, ScopeSet> Rules { get; init; }

    /// <summary>The rule that let the device into the role; absent: an operator did.</summary>
    [DisallowNull]
    public string? Role { get; init; }
}
