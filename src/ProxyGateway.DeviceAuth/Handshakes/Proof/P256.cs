using System.Security.Cryptography;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// ES256 verification (RFC 7518 §3.4): by OpenSSL's library, where that can be loaded, else by .NET. For each key .NET makes an object, which takes twice as long as
/// the verification; and objects of keys that strangers choose could not be kept.
/// </summary>
internal static class P256
{
    /// <summary>The length of a signature in bytes: r and s, not DER.</summary>
    public const int SignatureSize = 64;

    private const int CoordinateSize = 32;

    /// <summary>Whether the key is a point of the curve and made this signature; the fault otherwise.</summary>
    /// <param name="key">The key, 65 bytes: <c>04</c>, x, y.</param>
    /// <param name="message">What is signed.</param>
    /// <param name="signature">The signature.</param>
    /// <exception cref="CryptographicException">OpenSSL has failed.</exception>
    public static ProofFault? Verify(ReadOnlySpan<byte> key, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (key.Length != DeviceKey.P256Size || signature.Length != SignatureSize)
            return ProofFault.Signature;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(message, hash);
        return OpenSslP256.IsUsable ? OpenSslP256.Verify(key, hash, signature) : VerifyByFramework(key, hash, signature);
    }

    /// <summary>The same without OpenSSL's library.</summary>
    internal static ProofFault? VerifyByFramework(ReadOnlySpan<byte> key, ReadOnlySpan<byte> hash, ReadOnlySpan<byte> signature)
    {
        ECDsa verifier;
        try
        {
            verifier = ECDsa.Create(new ECParameters
            {
                Curve = ECCurve.NamedCurves.nistP256,
                Q = new ECPoint { X = key.Slice(1, CoordinateSize).ToArray(), Y = key[(1 + CoordinateSize)..].ToArray() },
            });
        }
        catch (CryptographicException)
        {
            return ProofFault.KeyWeak; // no point of the curve
        }

        using (verifier)
            return verifier.VerifyHash(hash, signature, DSASignatureFormat.IeeeP1363FixedFieldConcatenation) ? null : ProofFault.Signature;
    }
}
