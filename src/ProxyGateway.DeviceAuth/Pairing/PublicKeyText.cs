using System.Buffers;
using System.Buffers.Text;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Decodes the text forms of keys and signatures that clients send, strictly.</summary>
public static class PublicKeyText
{
    /// <summary>The length of a raw key in bytes.</summary>
    public const int KeySize = 32;

    private const string PemBegin = "-----BEGIN PUBLIC KEY-----";
    private const string PemEnd = "-----END PUBLIC KEY-----";

    // SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 §4): constant except for the key.
    private static ReadOnlySpan<byte> SpkiPrefix => [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];

    /// <summary>Decodes a raw key in base64url or base64, or a PEM of one.</summary>
    /// <param name="text">The text, unchanged.</param>
    /// <param name="key">The destination of the 32 bytes.</param>
    public static bool TryDecodeKey(string text, Span<byte> key)
    {
        ReadOnlySpan<char> pem = text.AsSpan().Trim("\r\n");
        if (!pem.StartsWith(PemBegin) || !pem[PemBegin.Length..].EndsWith(PemEnd))
            return TryDecode(text, key);

        Span<byte> spki = stackalloc byte[SpkiPrefix.Length + KeySize];
        string body = pem[PemBegin.Length..^PemEnd.Length].ToString().ReplaceLineEndings("");
        if (!TryDecode(body, spki) || !spki.StartsWith(SpkiPrefix))
            return false;
        spki[SpkiPrefix.Length..].CopyTo(key);
        return true;
    }

    /// <summary>Decodes base64url or base64, padded or not, into exactly the length of the destination.</summary>
    public static bool TryDecode(string text, Span<byte> destination)
    {
        int digits = ((destination.Length * 4) + 2) / 3;
        int padding = (4 - (digits % 4)) % 4;
        ReadOnlySpan<char> body = text;
        if (body.Length == digits + padding && body[digits..].Trim('=').IsEmpty)
            body = body[..digits];
        if (body.Length != digits)
            return false;

        // Only one of the two alphabets, and no blanks, which the framework's decoders would skip.
        Span<char> url = stackalloc char[digits];
        bool standard = body.ContainsAny('+', '/');
        for (int i = 0; i < digits; i++)
        {
            char c = body[i];
            if (!char.IsAsciiLetterOrDigit(c) && !(standard ? c is '+' or '/' : c is '-' or '_'))
                return false;
            url[i] = c switch { '+' => '-', '/' => '_', _ => c };
        }

        // Spare bits of the last digit must be zero, or one key would have several spellings; the Try method throws for them.
        return Base64Url.DecodeFromChars(url, destination, out _, out _) == OperationStatus.Done;
    }
}
