using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A device as another gateway has it on record.</summary>
/// <param name="Id">The device.</param>
/// <param name="PublicKey">The raw public key as base64url without padding; its SHA-256 is the id.</param>
/// <param name="Grants">Role -> terms; terms without scopes are those of a gateway that kept none.</param>
public sealed record ImportedDevice(DeviceId Id, string PublicKey, ImmutableSortedDictionary<string, GrantTerms> Grants)
{
    /// <summary>It was paired without any role on record.</summary>
    public bool Legacy { get; init; }

    /// <summary>Role -> what of its grant a rule approved there, and is that rule's here too. All else is the operator's who imports it.</summary>
    public ImmutableSortedDictionary<string, GrantParts> Parts { get; init; } = ImmutableSortedDictionary.Create<string, GrantParts>(StringComparer.Ordinal);

    /// <summary>What operators call it, safe to show; null if nothing.</summary>
    public string? Label { get; init; }

    /// <summary>What it says about itself, safe to show.</summary>
    public ClientDescription Client { get; init; } = new();
}
