namespace ProxyGateway.DeviceAuth;

/// <summary>Names in the configuration.</summary>
public static class DeviceAuthDefaults
{
    /// <summary>The handshake of the OpenClaw gateway protocol; see <c>Handshakes/ConnectFrame</c>.</summary>
    public const string ConnectFrame = "ConnectFrame";

    /// <summary>In a route's metadata: no gate on this route.</summary>
    public const string Off = "Off";

    /// <summary>The route metadata that names the handshake, or <see cref="Off"/>.</summary>
    public const string HandshakeMetadata = "DeviceAuth";

    /// <summary>The route metadata that names the audience (<see cref="Pairing.Audience"/>); without it the route is of the audience <c>default</c>.</summary>
    public const string AudienceMetadata = "DeviceAuth.Audience";

    /// <summary>The route metadata that overrides <see cref="DeviceAuthOptions.HttpRequests"/>.</summary>
    public const string HttpMetadata = "DeviceAuth.Http";
}
