namespace ProxyGateway.DeviceAuth;

/// <summary>Names in the configuration.</summary>
public static class DeviceAuthDefaults
{
    /// <summary>The handshake of the OpenClaw gateway protocol; see <c>Handshakes/ConnectFrame</c>.</summary>
    public const string ConnectFrame = "ConnectFrame";

    /// <summary>The handshake for backends of any protocol: a proof in each request; see <c>Handshakes/Proof</c>.</summary>
    public const string Proof = "Proof";

    /// <summary>In a route's metadata: no gate on this route.</summary>
    public const string Off = "Off";

    /// <summary>The route metadata that names the handshake, or <see cref="Off"/>.</summary>
    public const string HandshakeMetadata = "DeviceAuth";

    /// <summary>The route metadata that names the audience (<see cref="Pairing.Audience"/>); without it the route is of the audience <c>default</c>.</summary>
    public const string AudienceMetadata = "DeviceAuth.Audience";

    /// <summary>The route metadata that overrides <see cref="DeviceAuthOptions.HttpRequests"/>.</summary>
    public const string HttpMetadata = "DeviceAuth.Http";

    /// <summary>The route metadata for <see cref="Proof"/>: the role of a proof that names none; without it <see cref="ProofRole"/>.</summary>
    public const string RoleMetadata = "DeviceAuth.Role";

    /// <summary>
    /// The route metadata for <see cref="Proof"/>: the scopes, with blanks between, of a proof that names none. A proof that names scopes must cover them.
    /// </summary>
    public const string ScopesMetadata = "DeviceAuth.Scopes";

    /// <summary>The route metadata for <see cref="Proof"/>: <c>DPoP</c> if the proof comes in the standard's header, for clients that know no other.</summary>
    public const string ProofHeaderMetadata = "DeviceAuth.ProofHeader";

    /// <summary>The route metadata for <see cref="Proof"/>: <c>Allow</c> if devices may send a session token in place of a proof.</summary>
    public const string SessionTokensMetadata = "DeviceAuth.SessionTokens";

    /// <summary>The role of a proof that names none, on a route that names none.</summary>
    public const string ProofRole = "client";
}
