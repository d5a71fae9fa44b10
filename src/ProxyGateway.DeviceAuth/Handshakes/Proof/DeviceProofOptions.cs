using Microsoft.AspNetCore.Authentication;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>The scheme by which an application admits devices itself, without a proxy: what a route's metadata says where there is one.</summary>
public sealed class DeviceProofOptions : AuthenticationSchemeOptions
{
    /// <summary>Which agent the application is: what a device may do elsewhere says nothing here.</summary>
    public Audience Audience { get; set; }

    /// <summary>The role of a proof that names none: 1 to 128 of A-Z a-z 0-9 . _ : -.</summary>
    public string Role { get; set; } = DeviceAuthDefaults.ProofRole;

    /// <summary>The scopes of a proof that names none. A proof that names scopes must cover them.</summary>
    public ScopeSet Scopes { get; set; } = ScopeSet.Empty;

    /// <summary>Whether the proof comes in the header <c>DPoP</c>, for clients that know the standard's alone, and not in <c>Device-Proof</c>.</summary>
    public bool UseStandardHeader { get; set; }

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        if (!ScopeSet.IsValidName(Role))
            throw new InvalidOperationException("The role is no role.");
        if (Scopes is not { Count: <= DeviceClaim.MaxScopes } || !Scopes.All(scope => ScopeSet.IsValidName(scope)))
            throw new InvalidOperationException($"The scopes are no scopes, or more than {DeviceClaim.MaxScopes}.");
    }
}
