namespace ProxyGateway.DeviceAuth.Client;

/// <summary>The kind of a device's key.</summary>
public enum DeviceAlgorithm
{
    /// <summary>Ed25519 (RFC 8032, RFC 8037). Fits every handshake of the gateway.</summary>
    Ed25519,

    /// <summary>ECDSA with P-256 and SHA-256 (RFC 7518 §3.4): what TPMs, keychains and browsers keep. Fits the Proof handshake alone.</summary>
    ES256,
}
