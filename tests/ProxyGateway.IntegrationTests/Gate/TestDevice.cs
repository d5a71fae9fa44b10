using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A device with a key of its own.</summary>
internal sealed partial class TestDevice
{
    private const int Ed25519 = 1087;
    private readonly byte[] _seed;

    public TestDevice()
        : this(RandomNumberGenerator.GetBytes(32))
    {
    }

    /// <summary>The device of a private key.</summary>
    public TestDevice(byte[] seed)
    {
        _seed = seed;
        Key = new byte[32];
        nint key = EVP_PKEY_new_raw_private_key(Ed25519, 0, _seed, 32);
        nuint length = 32;
        EVP_PKEY_get_raw_public_key(key, Key, ref length).ShouldBe(1);
        EVP_PKEY_free(key);
        Id = DeviceId.Of(Key);
    }

    public byte[] Key { get; }

    public DeviceId Id { get; }

    public string PublicKey => Base64Url.EncodeToString(Key);

    public string Sign(string text)
    {
        byte[] message = Encoding.UTF8.GetBytes(text);
        byte[] signature = new byte[64];
        nuint length = 64;
        nint key = EVP_PKEY_new_raw_private_key(Ed25519, 0, _seed, 32);
        nint context = EVP_MD_CTX_new();
        EVP_DigestSignInit(context, 0, 0, 0, key).ShouldBe(1);
        EVP_DigestSign(context, signature, ref length, message, (nuint)message.Length).ShouldBe(1);
        EVP_MD_CTX_free(context);
        EVP_PKEY_free(key);
        return Base64Url.EncodeToString(signature);
    }

    /// <summary>What OpenSSL says, asked by itself.</summary>
    public static bool OpenSslVerifies(byte[] key, byte[] message, byte[] signature)
    {
        nint handle = EVP_PKEY_new_raw_public_key(Ed25519, 0, key, 32);
        nint context = EVP_MD_CTX_new();
        EVP_DigestVerifyInit(context, 0, 0, 0, handle).ShouldBe(1);
        bool verifies = EVP_DigestVerify(context, signature, (nuint)signature.Length, message, (nuint)message.Length) == 1;
        EVP_MD_CTX_free(context);
        EVP_PKEY_free(handle);
        return verifies;
    }

    private const string Library = "libcrypto.so.3";

    [LibraryImport(Library)]
    private static partial nint EVP_PKEY_new_raw_public_key(int type, nint engine, byte[] key, nuint length);

    [LibraryImport(Library)]
    private static partial int EVP_DigestVerifyInit(nint context, nint keyContext, nint digest, nint engine, nint key);

    [LibraryImport(Library)]
    private static partial int EVP_DigestVerify(nint context, byte[] signature, nuint signatureLength, byte[] message, nuint messageLength);

    [LibraryImport(Library)]
    private static partial nint EVP_PKEY_new_raw_private_key(int type, nint engine, byte[] key, nuint length);

    [LibraryImport(Library)]
    private static partial int EVP_PKEY_get_raw_public_key(nint key, byte[] publicKey, ref nuint length);

    [LibraryImport(Library)]
    private static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Library)]
    private static partial nint EVP_MD_CTX_new();

    [LibraryImport(Library)]
    private static partial void EVP_MD_CTX_free(nint context);

    [LibraryImport(Library)]
    private static partial int EVP_DigestSignInit(nint context, nint keyContext, nint digest, nint engine, nint key);

    [LibraryImport(Library)]
    private static partial int EVP_DigestSign(nint context, byte[] signature, ref nuint signatureLength, byte[] message, nuint messageLength);
}
