using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// A nonce: the gateway's time, and a MAC by which every gateway of the registry recognises it. So a proof is dated by the gateways' clocks: those of clients
/// are wrong by minutes, and those of boards without a battery begin in 1970.
/// </summary>
/// <param name="KeyId">The key's number.</param>
/// <param name="Seconds">When it was issued, in seconds since 1970.</param>
internal readonly record struct ProofNonce(byte KeyId, uint Seconds)
{
    /// <summary>How far one gateway's clock may be ahead of another's.</summary>
    public static readonly TimeSpan Early = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Longest = (UseOnce.Longest / 2) - Early;

    private const int SignedSize = 1 + sizeof(uint);
    private const int MacSize = 16;
    private const int Size = SignedSize + MacSize;

    /// <summary>A new nonce, 28 characters of base64url.</summary>
    public static string Issue(NonceKey key, DateTimeOffset now)
    {
        Span<byte> nonce = stackalloc byte[Size];
        nonce[0] = key.Id;
        BinaryPrimitives.WriteUInt32BigEndian(nonce[1..], (uint)now.ToUnixTimeSeconds());
        WriteMac(key, nonce[..SignedSize], nonce[SignedSize..]);
        return Base64Url.EncodeToString(nonce);
    }

    /// <summary>Reads a nonce. It is a stranger's word until <see cref="IsIssuedBy"/> says otherwise.</summary>
    public static bool TryRead(string? text, out ProofNonce nonce)
    {
        Span<byte> bytes = stackalloc byte[Size];
        bool isRead = StrictBase64Url.TryDecode(text, bytes);
        nonce = isRead ? new ProofNonce(bytes[0], BinaryPrimitives.ReadUInt32BigEndian(bytes[1..])) : default;
        return isRead;
    }

    /// <summary>Whether the text is a nonce by this key.</summary>
    public static bool IsIssuedBy(NonceKey key, string text)
    {
        Span<byte> bytes = stackalloc byte[Size];
        Span<byte> mac = stackalloc byte[MacSize];
        if (!StrictBase64Url.TryDecode(text, bytes) || bytes[0] != key.Id)
            return false;
        WriteMac(key, bytes[..SignedSize], mac);
        return CryptographicOperations.FixedTimeEquals(mac, bytes[SignedSize..]); // how much of a guess is right cannot be measured
    }

    /// <summary>How long a nonce is good: proofs must be remembered for twice that, and the registry does so for an hour at most.</summary>
    public static TimeSpan LifeOf(DeviceAuthOptions options) => options.SignatureSkew < Longest ? options.SignatureSkew : Longest;

    /// <summary>
    /// What names a proof with such a nonce, for longer than any gateway accepts it: also one whose clock is behind by the nonce's life.
    /// </summary>
    /// <param name="id">The proof's id.</param>
    /// <param name="life">How long a nonce is good.</param>
    public static UseOnce OnceOf(string id, TimeSpan life) => new(id, (life * 2) + (Early * 2));

    /// <summary>Whether it was issued at most <paramref name="life"/> ago.</summary>
    public bool IsFresh(DateTimeOffset now, TimeSpan life) => AgeAt(now) is var age && age <= life && age >= -Early;

    /// <summary>How long ago it was issued; to the second, since a nonce knows no parts of one.</summary>
    public TimeSpan AgeAt(DateTimeOffset now) => TimeSpan.FromSeconds(now.ToUnixTimeSeconds() - Seconds);

    private static void WriteMac(NonceKey key, ReadOnlySpan<byte> signed, Span<byte> mac)
    {
        Span<byte> whole = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key.Secret.AsSpan(), signed, whole);
        whole[..MacSize].CopyTo(mac);
    }
}
