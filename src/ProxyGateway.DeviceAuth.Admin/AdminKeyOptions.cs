using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>One operator's key, section <c>Admin:Keys:name</c>.</summary>
public sealed record AdminKeyOptions
{
    /// <summary>The operator's name, as the audit shows it.</summary>
    public required string Name { get; init; }

    /// <summary>The SHA-256 of the key: 32 bytes.</summary>
    public required ImmutableArray<byte> Sha256 { get; init; }

    /// <summary>What the operator may do.</summary>
    public required AdminRole Role { get; init; }

    /// <summary>Role -> scopes: the most that the operator may grant; a role that is not in it may not be granted. Null: anything.</summary>
    public ImmutableDictionary<string, ScopeSet>? UpTo { get; init; }
}
