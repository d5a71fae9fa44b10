using System.Buffers;
using System.Security.Cryptography;

namespace ProxyGateway.DeviceAuth.Client;

/// <summary>What names a device: its id, and the part of it that people compare before they let the device in.</summary>
public static class DeviceFingerprint
{
    private const int Digits = 20; // 80 bits: with fewer an attacker finds a key of the same fingerprint
    private const int GroupLength = 4;
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>The id of the device with this key: lower-case hexadecimal SHA-256, 64 characters.</summary>
    /// <param name="publicKey">The raw key: the 32 bytes of Ed25519, or the 65 of P-256.</param>
    public static string IdOf(ReadOnlySpan<byte> publicKey)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(publicKey, hash);
        return Convert.ToHexStringLower(hash);
    }

    /// <summary>The first 80 bits of an id as operators see them, as in <c>a50b-aa56-832b-d8e6-dd59</c>.</summary>
    /// <param name="id">The device's id.</param>
    /// <exception cref="ArgumentException">It is no id.</exception>
    public static string Of(string id) => string.Join('-', Checked(id).Chunk(GroupLength).Select(static group => new string(group)));

    /// <summary>
    /// The same 80 bits as ten words to read out aloud, of the PGP word list: words for odd and even places differ, so that one that is left out is noticed.
    /// </summary>
    /// <param name="id">The device's id.</param>
    /// <exception cref="ArgumentException">It is no id.</exception>
    public static string WordsOf(string id) => PgpWords.Of(Convert.FromHexString(Checked(id)));

    private static string Checked(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        return id.Length == 2 * SHA256.HashSizeInBytes && !id.AsSpan().ContainsAnyExcept(HexDigits)
            ? id[..Digits]
            : throw new ArgumentException("Not a device id.", nameof(id));
    }
}
