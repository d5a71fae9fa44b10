using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace ProxyGateway.Connecting;

/// <summary>Ed25519 signing (RFC 8032) by OpenSSL 3, which .NET on Linux uses already but does not offer this of.</summary>
internal static partial class LibCrypto
{
    public const int SeedLength = 32;
    private const int PublicKeyLength = 32;
    private const int SignatureLength = 64;
    private const int Ed25519 = 1087; // NID_ED25519, of openssl/obj_mac.h

    // The name of OpenSSL 3's library; the dynamic loader finds it where the distribution has put it.
    private const string Library = "libcrypto.so.3";

    public static byte[] PublicKey(ReadOnlySpan<byte> seed)
    {
        using SafeKey key = NewKey(seed);
        byte[] publicKey = new byte[PublicKeyLength];
        nuint length = PublicKeyLength;
        Check(EVP_PKEY_get_raw_public_key(key, publicKey, ref length) == 1 && length == PublicKeyLength);
        return publicKey;
    }

    public static byte[] Sign(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> message)
    {
        using SafeKey key = NewKey(seed);
        using SafeDigest digest = EVP_MD_CTX_new();
        Check(!digest.IsInvalid);
        byte[] signature = new byte[SignatureLength];
        nuint length = SignatureLength;
        Check(EVP_DigestSignInit(digest, 0, 0, 0, key) == 1);
        Check(EVP_DigestSign(digest, signature, ref length, message, (nuint)message.Length) == 1 && length == SignatureLength);
        return signature;
    }

    private static SafeKey NewKey(ReadOnlySpan<byte> seed)
    {
        SafeKey key = EVP_PKEY_new_raw_private_key(Ed25519, 0, seed, (nuint)seed.Length);
        Check(!key.IsInvalid);
        return key;
    }

    private static void Check(bool succeeded)
    {
        if (!succeeded)
            throw new CryptographicException("OpenSSL refuses an Ed25519 operation.");
    }

    [LibraryImport(Library)]
    private static partial SafeKey EVP_PKEY_new_raw_private_key(int type, nint engine, ReadOnlySpan<byte> key, nuint length);

    [LibraryImport(Library)]
    private static partial int EVP_PKEY_get_raw_public_key(SafeKey key, Span<byte> publicKey, ref nuint length);

    [LibraryImport(Library)]
    private static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Library)]
    private static partial SafeDigest EVP_MD_CTX_new();

    [LibraryImport(Library)]
    private static partial void EVP_MD_CTX_free(nint digest);

    [LibraryImport(Library)]
    private static partial int EVP_DigestSignInit(SafeDigest digest, nint keyContext, nint type, nint engine, SafeKey key);

    [LibraryImport(Library)]
    private static partial int EVP_DigestSign(SafeDigest digest, Span<byte> signature, ref nuint signatureLength, ReadOnlySpan<byte> message, nuint length);

    private sealed class SafeKey() : SafeHandleZeroOrMinusOneIsInvalid(ownsHandle: true)
    {
        protected override bool ReleaseHandle()
        {
            EVP_PKEY_free(handle);
            return true;
        }
    }

    private sealed class SafeDigest() : SafeHandleZeroOrMinusOneIsInvalid(ownsHandle: true)
    {
        protected override bool ReleaseHandle()
        {
            EVP_MD_CTX_free(handle);
            return true;
        }
    }
}
