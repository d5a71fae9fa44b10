using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A device from another gateway's records.</summary>
/// <param name="Id">The device.</param>
/// <param name="PublicKey">The raw public key as base64url without padding; its SHA-256 is the id.</param>
/// <param name="Grants">Role in an audience -> terms; terms without scopes are from a gateway that stored none.</param>
public sealed record ImportedDevice(DeviceId Id, string PublicKey, ImmutableSortedDictionary<GrantKey, GrantTerms> Grants)
{
    /// <summary>It was paired in the audience <c>default</c>, without any recorded role.</summary>
    public bool Legacy { get; init; }

    /// <summary>
    /// Role in an audience -> the part of its grant that a rule approved there; it is that rule's here too. The rest is the importing operator's.
    /// </summary>
    public ImmutableSortedDictionary<GrantKey, GrantParts> Parts { get; init; } = ImmutableSortedDictionary<GrantKey, GrantParts>.Empty;

    /// <summary>Its label, safe to show; null if none.</summary>
    public string? Label { get; init; }

    /// <summary>Its description of itself, safe to show.</summary>
    public ClientDescription Client { get; init; } = new();
}
