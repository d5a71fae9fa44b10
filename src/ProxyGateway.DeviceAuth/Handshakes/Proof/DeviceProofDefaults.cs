namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>Names of the authentication scheme.</summary>
public static class DeviceProofDefaults
{
    /// <summary>The scheme, and the authentication type of a device that is admitted by a proof.</summary>
    public const string AuthenticationScheme = "DeviceProof";
}
