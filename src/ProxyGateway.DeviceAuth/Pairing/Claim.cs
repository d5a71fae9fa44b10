using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>What a device has proved to be and asks for. It exists only once its proof was verified.</summary>
/// <param name="Device">The device's id.</param>
/// <param name="PublicKey">The raw public key as base64url without padding; its SHA-256 is the id.</param>
/// <param name="Role">The one role of this connection.</param>
/// <param name="Scopes">The permissions it asks for inside the role.</param>
/// <param name="Client">What the device says about itself.</param>
public sealed record Claim(DeviceId Device, string PublicKey, string Role, ScopeSet Scopes, ClientDescription Client);

/// <summary>What a device says about itself. Never verified: shown to operators as the device's claim, and used for nothing.</summary>
/// <param name="Id">The kind of client, as in <c>cli</c>.</param>
/// <param name="DisplayName">A name for people.</param>
/// <param name="Platform">The operating system.</param>
/// <param name="Mode">How the client runs.</param>
public sealed record ClientDescription(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Id = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? DisplayName = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Platform = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Mode = null) : StoredObject
{
    /// <summary>The description, made safe to show: each text is shortened, and what cannot be seen or turns text around is removed.</summary>
    public static ClientDescription Sanitize(string? id, string? displayName, string? platform, string? mode) =>
        new(SafeText.Of(id), SafeText.Of(displayName), SafeText.Of(platform), SafeText.Of(mode));
}

/// <summary>Text of others that operators are shown.</summary>
internal static class SafeText
{
    private const int MaxLength = 100;

    /// <summary>The text, shortened, without what cannot be seen or turns text around; null if nothing is left.</summary>
    public static string? Of(string? text)
    {
        if (text is null)
        {
            return null;
        }

        if (text.Length is > 0 and <= MaxLength && !text.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            return text; // as nearly all are
        }

        var clean = new System.Text.StringBuilder(Math.Min(text.Length, MaxLength));
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
