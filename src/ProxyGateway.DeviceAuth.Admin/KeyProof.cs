using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// Proofs by which a client and the gateway show each other that they know an operator's key, without sending it: HMAC-SHA256, keyed by the
/// SHA-256 of the key (the gateway has only that), over the speaker, the address of the connection (<see cref="ProvenAddress"/>) and a
/// nonce of the client's. The client speaks first, so a stranger who asks the gateway gets nothing to test keys against. A stranger whom a
/// client asks does get such a proof: so keys must be random.
/// </summary>
public static class KeyProof
{
    /// <summary>The length of a nonce and of a proof, in bytes.</summary>
    public const int Bytes = 32;

    private const string Context = "proxygateway admin proof 1";

    /// <summary>A nonce, as base64url.</summary>
    public static string NewNonce() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(Bytes));

    /// <summary>The client's proof.</summary>
    public static byte[] OfClient(ReadOnlySpan<byte> keyHash, string address, string nonce) => Of(keyHash, "client", address, nonce);

    /// <summary>The gateway's proof.</summary>
    public static byte[] OfGateway(ReadOnlySpan<byte> keyHash, string address, string nonce) => Of(keyHash, "gateway", address, nonce);

    /// <summary>The SHA-256 of a key.</summary>
    public static byte[] HashOf(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    /// <summary>Reads 32 bytes of base64url, in their only canonical spelling.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        Span<byte> parsed = stackalloc byte[Bytes];
        if (text is not { Length: 43 }
            || Base64Url.DecodeFromChars(text, parsed, out _, out int length) != OperationStatus.Done
            || length != Bytes
            || Base64Url.EncodeToString(parsed) != text)
        {
            return false;
        }

        bytes = parsed.ToArray();
        return true;
    }

    private static byte[] Of(ReadOnlySpan<byte> keyHash, string speaker, string address, string nonce) =>
        HMACSHA256.HashData(keyHash, Encoding.UTF8.GetBytes($"{Context}\n{speaker}\n{address}\n{nonce}"));
}
