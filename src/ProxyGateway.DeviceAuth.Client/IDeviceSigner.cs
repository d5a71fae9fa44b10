namespace ProxyGateway.DeviceAuth.Client;

/// <summary>
/// A device's key, wherever it is kept: <see cref="DeviceIdentity"/> is a file; a TPM, a keychain or a remote signer is an implementation of the
/// application's. Must be thread-safe.
/// </summary>
public interface IDeviceSigner
{
    /// <summary>The kind of key.</summary>
    DeviceAlgorithm Algorithm { get; }

    /// <summary>The raw public key: the 32 bytes of Ed25519, or the 65 bytes <c>04</c>, x, y of P-256. It never changes.</summary>
    ReadOnlyMemory<byte> PublicKey { get; }

    /// <summary>Signs the data.</summary>
    /// <param name="data">What to sign, not hashed yet.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <returns>64 bytes: the signature of Ed25519; or r and s of ES256, 32 bytes each, not DER.</returns>
    ValueTask<byte[]> SignAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken);
}
