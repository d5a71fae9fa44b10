namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>Names on the wire.</summary>
internal static class ProofNames
{
    public const string ProofHeader = "Device-Proof";
    public const string NonceHeader = "Device-Nonce";
    public const string SessionHeader = "Device-Session";

    // RFC 9449
    public const string DPoP = "DPoP";
    public const string DPoPNonceHeader = "DPoP-Nonce";

    /// <summary>The subprotocol that a browser's WebSocket offers beside that with its proof.</summary>
    public const string Subprotocol = "device-proof.v1";

    /// <summary>What a subprotocol with a proof begins with.</summary>
    public const string SubprotocolPrefix = Subprotocol + ".";

    /// <summary>What every subprotocol of the gate's has, of whichever version: none that has it is a backend's.</summary>
    public const string SubprotocolFamily = "device-proof.";

    /// <summary>The scheme in <c>WWW-Authenticate</c>.</summary>
    public const string Scheme = "Device-Proof";
}
