using System.Buffers;
using System.Buffers.Text;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// Decodes base64url (RFC 4648 §5) of which each value has one spelling: no padding, no blanks, no bits that are left over. With two spellings an attacker
/// could send a proof again that looks like another.
/// </summary>
internal static class StrictBase64Url
{
    private static readonly SearchValues<char> Digits =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    /// <summary>Decodes a text of any length; false if it is malformed or empty.</summary>
    public static bool TryDecode(ReadOnlySpan<char> text, out byte[] bytes)
    {
        bytes = [];
        if (!IsWellFormed(text))
            return false;
        bytes = new byte[Base64Url.GetMaxDecodedLength(text.Length)];
        return TryDecodeExactly(text, bytes);
    }

    /// <summary>Decodes a text that fills the destination; false if it does not, or is malformed.</summary>
    public static bool TryDecode(ReadOnlySpan<char> text, Span<byte> destination) =>
        IsWellFormed(text) && Base64Url.GetMaxDecodedLength(text.Length) == destination.Length && TryDecodeExactly(text, destination);

    // The framework's decoders skip blanks and accept padding.
    private static bool IsWellFormed(ReadOnlySpan<char> text) => !text.IsEmpty && text.Length % 4 != 1 && !text.ContainsAnyExcept(Digits);

    private static bool TryDecodeExactly(ReadOnlySpan<char> text, Span<byte> destination) =>
        Base64Url.DecodeFromChars(text, destination, out _, out int written) == OperationStatus.Done && written == destination.Length;
}
