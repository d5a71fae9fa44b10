using System.Globalization;
using System.Text;

namespace ProxyGateway;

/// <summary>Makes texts of others safe for a terminal: no character moves the cursor, reverses text or hides.</summary>
internal static class PlainText
{
    /// <summary>The text, with a <c>U+FFFD</c> for every character that is not shown as itself.</summary>
    public static string Of(string? text, bool keepLines = false)
    {
        if (string.IsNullOrEmpty(text))
            return "";
        var plain = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            plain.Append(IsShown(rune) || (keepLines && rune.Value == '\n') ? rune : Rune.ReplacementChar);
        return plain.ToString();
    }

    private static bool IsShown(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
}
