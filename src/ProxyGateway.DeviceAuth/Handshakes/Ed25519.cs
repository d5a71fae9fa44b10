using NSec.Cryptography;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Ed25519 verification (RFC 8032) by libsodium, which takes half the time of OpenSSL's libcrypto: .NET 10 has no Ed25519.
/// </summary>
public static class Ed25519
{
    /// <summary>The length of a raw public key in bytes.</summary>
    public const int PublicKeySize = 32;

    /// <summary>The length of a signature in bytes.</summary>
    public const int SignatureSize = 64;

    // Points of small order, without the sign bit. Anybody can make signatures for such a key that fit any message, so it identifies
    // nobody. Only canonical encodings are listed: all others (y >= p) are refused anyway.
    private static readonly byte[][] SmallOrder =
    [
        Convert.FromHexString("0000000000000000000000000000000000000000000000000000000000000000"),
        Convert.FromHexString("0100000000000000000000000000000000000000000000000000000000000000"),
        Convert.FromHexString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        Convert.FromHexString("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        Convert.FromHexString("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ];

    /// <summary>Throws, with instructions, if libsodium cannot be loaded or does not verify. To be called at start.</summary>
    /// <exception cref="PlatformNotSupportedException">The program's libsodium is missing or does not work.</exception>
    public static void EnsureSupported()
    {
        // RFC 8032 §7.1, test 1.
        byte[] key = Convert.FromHexString("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        byte[] signature = Convert.FromHexString(
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
        try
        {
            if (Verify(key, [], signature))
                return;
        }
        catch (Exception e) when (e is TypeInitializationException or DllNotFoundException or EntryPointNotFoundException)
        {
            throw new PlatformNotSupportedException(
                "libsodium, which verifies device signatures, cannot be loaded. It comes with the program, in runtimes/: publish for this platform.", e);
        }

        throw new PlatformNotSupportedException("The libsodium of this machine does not verify Ed25519 signatures.");
    }

    /// <summary>Whether these bytes can be a device's key: a canonical encoding of a point that is not of small order.</summary>
    public static bool IsAcceptableKey(ReadOnlySpan<byte> publicKey)
    {
        if (publicKey.Length != PublicKeySize)
            return false;
        Span<byte> y = stackalloc byte[PublicKeySize];
        publicKey.CopyTo(y);
        y[^1] &= 0x7F; // the sign of x
        foreach (byte[] point in SmallOrder)
        {
            if (y.SequenceEqual(point))
                return false;
        }

        // p = 2^255 - 19: the canonical values of y are those below it.
        bool topIsFull = y[^1] == 0x7F && !y[1..^1].ContainsAnyExcept((byte)0xFF);
        return !(topIsFull && y[0] >= 0xED);
    }

    /// <summary>Whether the key made this signature over the message. False for anything malformed.</summary>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) =>
        signature.Length == SignatureSize
        && IsAcceptableKey(publicKey)
        && PublicKey.TryImport(SignatureAlgorithm.Ed25519, publicKey, KeyBlobFormat.RawPublicKey, out PublicKey? key)
        && SignatureAlgorithm.Ed25519.Verify(key!, message, signature);
}
