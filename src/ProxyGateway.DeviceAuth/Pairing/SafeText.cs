namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Makes texts of others safe to show to operators.</summary>
public static class SafeText
{
    private const int MaxLength = 100;

    /// <summary>The text, cut, without invisible and bidirectional characters; null if nothing is left.</summary>
    public static string? Of(string? text)
    {
        if (text is null)
        {
            return null;
        }

        if (text.Length is > 0 and <= MaxLength && !text.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            return text; // the usual case
        }

        var clean = new System.Text.StringBuilder();
        foreach (System.Text.Rune rune in text.EnumerateRunes())
        {
            if (clean.Length + rune.Utf16SequenceLength > MaxLength)
            {
                break;
            }

            if (IsVisible(rune))
            {
                clean.Append(rune.ToString());
            }
        }

        string cleaned = clean.ToString().Trim();
        return cleaned.Length == 0 ? null : cleaned;
    }

    // Format characters (Cf) hold the bidirectional overrides and isolates, zero-width joiners and tags.
    private static bool IsVisible(System.Text.Rune rune) => System.Text.Rune.GetUnicodeCategory(rune) is not (
        System.Globalization.UnicodeCategory.Control or System.Globalization.UnicodeCategory.Format
        or System.Globalization.UnicodeCategory.LineSeparator or System.Globalization.UnicodeCategory.ParagraphSeparator
        or System.Globalization.UnicodeCategory.Surrogate or System.Globalization.UnicodeCategory.PrivateUse
        or System.Globalization.UnicodeCategory.OtherNotAssigned);
}
