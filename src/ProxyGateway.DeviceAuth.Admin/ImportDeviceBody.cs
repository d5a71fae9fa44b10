using System.Diagnostics.CodeAnalysis;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A device of another gateway.</summary>
public sealed record ImportDeviceBody
{
    /// <summary>The device's id; absent: that of its key.</summary>
    [DisallowNull]
    public string? Id { get; init; }

    /// <summary>The raw public key, 32 bytes, as base64url or in another form that devices send.</summary>
    public required string PublicKey { get; init; }

    /// <summary>Role, or <c>audience/role</c> in any audience but <c>default</c> -> the grant there; empty for a device that was paired without any recorded role.</summary>
    public required IReadOnlyDictionary<string, ImportGrantBody> Grants { get; init; }

    /// <summary>It was paired in the audience <c>default</c>, without any recorded role.</summary>
    public bool Legacy { get; init; }

    /// <summary>Its label.</summary>
    [DisallowNull]
    public string? Label { get; init; }

    /// <summary>Its description of itself.</summary>
    [DisallowNull]
    public ClientDescription? Client { get; init; }
}
