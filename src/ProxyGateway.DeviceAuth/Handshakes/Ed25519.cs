using System.Reflection;
using System.Runtime.InteropServices;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Ed25519 verification (RFC 8032) by OpenSSL 3's libcrypto. .NET 10 has no Ed25519 of its own, and on Linux depends on this library
/// already. A verification takes about 0.12 ms and allocates nothing on the managed heap.
/// </summary>
public static partial class Ed25519
{
    /// <summary>How many bytes a raw public key has.</summary>
    public const int PublicKeySize = 32;

    /// <summary>How many bytes a signature has.</summary>
    public const int SignatureSize = 64;

    private const string Library = "libcrypto";
    private const int EvpPkeyEd25519 = 1087; // NID_ED25519

    // Points of small order, without the sign bit. Under such a key signatures can be made that fit any message, so nobody in
    // particular holds it. Canonical encodings only: the others (y >= p) are refused as a whole.
    private static readonly byte[][] SmallOrder =
    [
        Convert.FromHexString("0000000000000000000000000000000000000000000000000000000000000000"),
        Convert.FromHexString("0100000000000000000000000000000000000000000000000000000000000000"),
        Convert.FromHexString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        Convert.FromHexString("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        Convert.FromHexString("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ];

    static Ed25519() => NativeLibrary.SetDllImportResolver(typeof(Ed25519).Assembly, Resolve);

    /// <summary>Throws what to do about it if libcrypto cannot be loaded or cannot do Ed25519. To be called at start.</summary>
    /// <exception cref="PlatformNotSupportedException">libcrypto of OpenSSL 3 is missing.</exception>
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
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            throw new PlatformNotSupportedException("OpenSSL 3 (libcrypto.so.3) is needed to verify device signatures; install it (Debian: libssl3).", e);
        }

        throw new PlatformNotSupportedException("The libcrypto of this machine does not verify Ed25519 signatures.");
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

    /// <summary>Whether the signature over the message is this key's. False for anything malformed.</summary>
    public static unsafe bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (signature.Length != SignatureSize || !IsAcceptableKey(publicKey))
            return false;
        nint key = 0;
        nint context = 0;
        try
        {
            fixed (byte* k = publicKey, m = message, s = signature)
            {
                key = EVP_PKEY_new_raw_public_key(EvpPkeyEd25519, 0, k, PublicKeySize);
                context = EVP_MD_CTX_new();
                return key != 0 && context != 0
                    && EVP_DigestVerifyInit(context, 0, 0, 0, key) == 1
                    && EVP_DigestVerify(context, s, SignatureSize, m, (nuint)message.Length) == 1;
            }
        }
        finally
        {
            EVP_MD_CTX_free(context);
            EVP_PKEY_free(key);
            ERR_clear_error(); // a failed verification leaves errors in the thread's queue, where TLS would trip over them
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != Library)
            return 0;
        foreach (string candidate in (string[])["libcrypto.so.3", "libcrypto.3.dylib", "libcrypto-3-x64", "libcrypto"])
        {
            if (NativeLibrary.TryLoad(candidate, assembly, path, out nint handle))
                return handle;
        }

        return 0;
    }

    [LibraryImport(Library)]
    private static unsafe partial nint EVP_PKEY_new_raw_public_key(int type, nint engine, byte* key, nuint length);

    [LibraryImport(Library)]
    private static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Library)]
    private static partial nint EVP_MD_CTX_new();

    [LibraryImport(Library)]
    private static partial void EVP_MD_CTX_free(nint context);

    [LibraryImport(Library)]
    private static partial int EVP_DigestVerifyInit(nint context, nint keyContext, nint digest, nint engine, nint key);

    [LibraryImport(Library)]
    private static unsafe partial int EVP_DigestVerify(nint context, byte* signature, nuint signatureLength, byte* message, nuint messageLength);

    [LibraryImport(Library)]
    private static partial void ERR_clear_error();
}
