using System.Globalization;
using System.Text.Json;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Reads JSON of strangers so that no two parsers can read it differently: no duplicate members (in any spelling), no trailing data,
/// comments, trailing commas or BOM, no lone surrogates, no names that give a JavaScript object other members. The bytes must already be
/// valid UTF-8.
/// </summary>
internal static class StrictJson
{
    // A connect has five levels, a proof three. Strangers send what is read here, and each level costs time.
    private const int MaxDepth = 16;

    private static readonly JsonDocumentOptions Options = new()
    {
        AllowDuplicateProperties = false,
        AllowTrailingCommas = false,
        CommentHandling = JsonCommentHandling.Disallow,
        MaxDepth = MaxDepth,
    };

    /// <summary>The document; null if it is not strict JSON.</summary>
    public static JsonDocument? Parse(ReadOnlyMemory<byte> utf8)
    {
        // First, since the parser would throw for a lone surrogate only when that text is read.
        if (HasLoneSurrogate(utf8.Span))
            return null;
        try
        {
            JsonDocument document = JsonDocument.Parse(utf8, Options);
            if (!ReachesForPrototypes(utf8.Span))
                return document;
            document.Dispose();
            return null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>
    /// Whether a careless copy of it in JavaScript would give an object the members of another: by <c>__proto__</c>, or by the prototype of
    /// a <c>constructor</c>.
    /// </summary>
    private static bool ReachesForPrototypes(ReadOnlySpan<byte> utf8)
    {
        if (!utf8.Contains((byte)'\\') && utf8.IndexOf("\"__proto__\""u8) < 0 && utf8.IndexOf("\"constructor\""u8) < 0)
            return false;
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = MaxDepth });
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName)
                continue;
            if (reader.ValueTextEquals("__proto__"u8))
                return true;
            if (reader.ValueTextEquals("constructor"u8) && reader.Read() && reader.TokenType == JsonTokenType.StartObject)
                return true;
        }

        return false;
    }

    /// <summary>
    /// Whether an escape spells half a character. Outside of strings JSON has no backslash, so the text need not be parsed.
    /// </summary>
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
