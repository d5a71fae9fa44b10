namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>A key that signs assertions. Thread-safe.</summary>
internal abstract class AssertionSigner
{
    /// <summary>The algorithm's name (RFC 7518 §3.1).</summary>
    public abstract string Algorithm { get; }

    /// <summary>The key's name in the JWKS; null for a secret.</summary>
    public abstract string? Id { get; }

    /// <summary>Signs.</summary>
    public abstract byte[] Sign(byte[] data);
}
