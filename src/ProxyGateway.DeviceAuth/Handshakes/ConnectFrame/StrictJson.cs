using System.Globalization;
using System.Text.Json;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// JSON of strangers, read so that no two parsers can disagree on what it says: no duplicate members (however they are spelled), no
/// trailing data, comments, trailing commas or BOM, no lone surrogates. The bytes must be valid UTF-8 already.
/// </summary>
internal static class StrictJson
{
    private static readonly JsonDocumentOptions Options = new()
    {
        AllowDuplicateProperties = false,
        AllowTrailingCommas = false,
        CommentHandling = JsonCommentHandling.Disallow,
        MaxDepth = 32,
    };

    /// <summary>The document, or null if it is not strictly one.</summary>
    public static JsonDocument? Parse(ReadOnlyMemory<byte> utf8)
    {
        // First, since the parser would only trip over a lone surrogate when that very text is read.
        if (HasLoneSurrogate(utf8.Span))
            return null;
        try
        {
            return JsonDocument.Parse(utf8, Options);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Whether an escape spells half a character. Outside of strings JSON has no backslash, so the text need not be parsed.</summary>
    private static bool HasLoneSurrogate(ReadOnlySpan<byte> utf8)
    {
        bool highBefore = false;
        while (true)
        {
            int skipped = utf8.IndexOf((byte)'\\');
            if (skipped < 0)
                return highBefore;
            if (highBefore && skipped > 0)
                return true;
            utf8 = utf8[skipped..];
            bool isUnicode = utf8.Length >= 6 && utf8[1] == (byte)'u';
            if (!isUnicode || !ushort.TryParse(utf8.Slice(2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort unit))
            {
                if (highBefore)
                    return true;
                utf8 = utf8[Math.Min(2, utf8.Length)..];
                continue;
            }

            if (char.IsLowSurrogate((char)unit) != highBefore)
                return true;
            highBefore = char.IsHighSurrogate((char)unit);
            utf8 = utf8[6..];
        }
    }
}
