namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>A device's proved id and its claim. It is made only after the proof was verified.</summary>
/// <param name="Device">The device's id.</param>
/// <param name="PublicKey">The raw public key as base64url without padding; its SHA-256 is the id.</param>
/// <param name="Role">The one role of this connection.</param>
/// <param name="Scopes">The requested permissions within the role.</param>
/// <param name="Client">The device's description of itself.</param>
public sealed record DeviceClaim(DeviceId Device, string PublicKey, string Role, ScopeSet Scopes, ClientDescription Client)
{
    /// <summary>The audience of the route, set by the gate: nothing that a device or a handshake says changes it.</summary>
    public Audience Audience { get; init; }

    /// <summary>
    /// The version of the record by which the claim's session token was made; null if the device proves itself now. Such a claim is covered by that version
    /// alone, and asks for nothing: a thief of the token must get no approval by it.
    /// </summary>
    internal string? RecordVersion { get; init; }

    /// <summary>The invitation whose secret the device has shown; null if it has shown none.</summary>
    internal string? InvitationId { get; init; }

    /// <summary>The role in this audience.</summary>
    public GrantKey Key => new(Audience, Role);

    /// <summary>How many scopes a claim may have.</summary>
    internal const int MaxScopes = 64;
}
