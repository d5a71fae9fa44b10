using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>What a device's raw public key says by its length: 32 bytes are Ed25519, 65 are an uncompressed point of P-256.</summary>
public static class DeviceKey
{
    /// <summary>The length of an Ed25519 key in bytes.</summary>
    public const int Ed25519Size = 32;

    /// <summary>The length of a P-256 key in bytes: <c>04</c>, x, y.</summary>
    public const int P256Size = 65;

    private const int CoordinateSize = 32;
    private const byte Uncompressed = 4;

    /// <summary>The algorithm of the key's signatures, <c>Ed25519</c> or <c>ES256</c>; null for any other key.</summary>
    /// <param name="publicKey">The raw key as base64url without padding.</param>
    public static string? AlgorithmOf(string publicKey)
    {
        Span<byte> key = stackalloc byte[P256Size];
        return Decode(publicKey, key) switch
        {
            Ed25519Size => "Ed25519",
            P256Size => "ES256",
            _ => null,
        };
    }

    /// <summary>The key's thumbprint, base64url of the SHA-256 of its JWK (RFC 7638), as in the claim <c>jkt</c>; null for a key of no known length.</summary>
    /// <param name="publicKey">The raw key as base64url without padding.</param>
    public static string? ThumbprintOf(string publicKey)
    {
        Span<byte> key = stackalloc byte[P256Size];
        string? jwk = Decode(publicKey, key) switch
        {
            Ed25519Size => $$"""{"crv":"Ed25519","kty":"OKP","x":"{{publicKey}}"}""",
            P256Size => $$"""{"crv":"P-256","kty":"EC","x":"{{Base64Url.EncodeToString(key.Slice(1, CoordinateSize))}}","y":"{{Base64Url.EncodeToString(key[(1 + CoordinateSize)..])}}"}""",
            _ => null,
        };
        return jwk is null ? null : Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(jwk)));
    }

    /// <summary>
    /// Reads a key in any form that devices and other gateways write: an Ed25519 key raw in base64url or base64, or as PEM; a P-256 key as its raw point.
    /// </summary>
    /// <param name="text">The text, unchanged.</param>
    /// <param name="key">The raw key.</param>
    public static bool TryRead(string text, out byte[] key)
    {
        ArgumentNullException.ThrowIfNull(text);
        key = new byte[Ed25519Size];
        if (PublicKeyText.TryDecodeKey(text, key))
            return true;
        key = new byte[P256Size];
        if (PublicKeyText.TryDecode(text, key) && key[0] == Uncompressed)
            return true;
        key = [];
        return false;
    }

    private static int Decode(string publicKey, Span<byte> key)
    {
        ArgumentNullException.ThrowIfNull(publicKey);
        return publicKey.Length <= 87 && Base64Url.IsValid(publicKey) && Base64Url.TryDecodeFromChars(publicKey, key, out int length) ? length : 0;
    }
}
