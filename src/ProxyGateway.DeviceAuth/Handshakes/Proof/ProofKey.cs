using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>A device's public key, of the shape of one. Whether it is a point of its curve is found by its use, which costs more.</summary>
internal sealed class ProofKey
{
    private const byte Uncompressed = 4;
    private const int CoordinateSize = 32;

    private ProofKey(byte[] raw) => Raw = raw;

    /// <summary>The 32 bytes of Ed25519, or the 65 of P-256: <c>04</c>, x, y.</summary>
    public byte[] Raw { get; }

    /// <summary>Reads a JWK (RFC 7517, RFC 8037); the fault otherwise.</summary>
    /// <param name="jwk">The object.</param>
    /// <param name="algorithm">The proof's algorithm.</param>
    /// <param name="key">The key.</param>
    public static ProofFault? Read(JsonElement jwk, string algorithm, out ProofKey key)
    {
        key = null!;
        if (jwk.ValueKind != JsonValueKind.Object)
            return ProofFault.KeyMissing;
        if (jwk.TryGetProperty("d"u8, out _) || jwk.TryGetProperty("k"u8, out _) || jwk.TryGetProperty("p"u8, out _) || jwk.TryGetProperty("q"u8, out _))
            return ProofFault.KeyPrivate;
        bool isP256 = Is(jwk, "kty"u8, "EC"u8) && Is(jwk, "crv"u8, "P-256"u8);
        bool isEd25519 = Is(jwk, "kty"u8, "OKP"u8) && Is(jwk, "crv"u8, "Ed25519"u8);
        if (!isP256 && !isEd25519)
            return ProofFault.KeyUnknown;
        if (isP256 != (algorithm == "ES256"))
            return ProofFault.KeyUnfit;

        byte[] raw = new byte[isP256 ? DeviceKey.P256Size : DeviceKey.Ed25519Size];
        if (isP256)
            raw[0] = Uncompressed;
        int x = isP256 ? 1 : 0;
        if (!TryRead(jwk, "x"u8, raw.AsSpan(x, CoordinateSize)) || (isP256 && !TryRead(jwk, "y"u8, raw.AsSpan(x + CoordinateSize))))
            return ProofFault.KeyMalformed;
        key = new ProofKey(raw);
        return null;
    }

    /// <summary>Whether the key is one and made this signature; the fault otherwise.</summary>
    public ProofFault? Verify(ReadOnlySpan<byte> signed, ReadOnlySpan<byte> signature)
    {
        if (Raw.Length == DeviceKey.P256Size)
            return P256.Verify(Raw, signed, signature);
        if (!Ed25519.IsAcceptableKey(Raw))
            return ProofFault.KeyWeak;
        return Ed25519.Verify(Raw, signed, signature) ? null : ProofFault.Signature;
    }

    private static bool Is(JsonElement jwk, ReadOnlySpan<byte> member, ReadOnlySpan<byte> text) =>
        jwk.TryGetProperty(member, out JsonElement value) && value.ValueKind == JsonValueKind.String && value.ValueEquals(text);

    private static bool TryRead(JsonElement jwk, ReadOnlySpan<byte> member, Span<byte> coordinate) =>
        jwk.TryGetProperty(member, out JsonElement value)
        && value.ValueKind == JsonValueKind.String
        && StrictBase64Url.TryDecode(value.GetString(), coordinate);
}
