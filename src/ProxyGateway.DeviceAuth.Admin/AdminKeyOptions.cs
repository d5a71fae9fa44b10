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

    /// <summary>The operator's role.</summary>
    public required AdminRole Role { get; init; }

    /// <summary>
    /// The ceiling: role -> scopes that the operator may grant at most; other roles may not be granted. Null: anything; empty: nothing.
    /// </summary>
    public ImmutableDictionary<string, ScopeSet>? UpTo { get; init; }

    /// <summary>The audiences in which the operator may grant; other audiences are refused. Null: any; empty: none.</summary>
    public ImmutableSortedSet<Audience>? Audiences { get; init; }
}
