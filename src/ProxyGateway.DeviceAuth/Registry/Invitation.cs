using System.Collections.Immutable;
using System.Text.Json.Serialization;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// An approval that an operator has given in advance: the first devices that show its secret get this grant, and no other. The registry keeps a hash of the
/// secret.
/// </summary>
// A member of a newer gateway could be a restriction, so such an invitation admits nobody here.
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record Invitation
{
    /// <summary>How often one invitation may be used.</summary>
    public const int MaxUses = 1000;

    private const int KeptUses = 8;

    /// <summary>Which one it is; it says nothing about the secret.</summary>
    public required string Id { get; init; }

    /// <summary>The audience of the grant.</summary>
    public required Audience Audience { get; init; }

    /// <summary>The role of the grant.</summary>
    public required string Role { get; init; }

    /// <summary>The scopes of the grant: a device gets those of them that it asks for.</summary>
    public required ScopeSet Scopes { get; init; }

    /// <summary>How many seconds the grant lasts from its use on; null: without end.</summary>
    public long? GrantSeconds { get; init; }

    /// <summary>How often it can be used, 1 to <see cref="MaxUses"/>.</summary>
    public required int Uses { get; init; }

    /// <summary>How often it was used.</summary>
    public int Used { get; init; }

    /// <summary>Its last uses, eight at most. The same request may use it again at no cost: the approval may have been lost on the way.</summary>
    public ImmutableArray<InvitationUse> LastUses { get; init; } = [];

    /// <summary>The operator who made it.</summary>
    public required string CreatedBy { get; init; }

    /// <summary>When it was made, by the registry's clock.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>From when on nobody can use it, by the registry's clock.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>Whether an operator has withdrawn it.</summary>
    public bool IsWithdrawn { get; init; }

    /// <summary>The invitation after one more use.</summary>
    internal Invitation With(InvitationUse use) => this with
    {
        Used = Used + 1,
        LastUses = [.. LastUses.TakeLast(KeptUses - 1), use],
    };

    /// <summary>What it grants, as the ceiling of an operator: an approval in its name cannot be wider.</summary>
    /// <param name="address">The address of the device that uses it.</param>
    internal Operator AsOperator(string? address) => new(
        $"{CreatedBy} (invitation {Id[..8]})", ImmutableDictionary<string, ScopeSet>.Empty.Add(Role, Scopes), address)
    {
        Audiences = [Audience],
    };
}
