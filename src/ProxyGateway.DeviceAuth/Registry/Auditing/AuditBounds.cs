using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>
/// The maximum size of an entry. Texts that strangers choose are cut, always in the same way, so that nobody fills the registry with a few
/// entries.
/// </summary>
internal static class AuditBounds
{
    /// <summary>How many scopes a stranger's entry names.</summary>
    public const int StrangersScopes = 8;

    /// <summary>How large the document of a stranger's entry may be, in bytes.</summary>
    public const int StrangersBytes = 1024;

    /// <summary>How large the document of any other entry may be, in bytes.</summary>
    public const int Bytes = 4096;

    private const int BytesOfEscape = 6; // of one character in JSON, at most
    private const int ShortText = 24;

    private const int RestOfDocument = 640; // names of members, punctuation, times, ids, locality and numbers

    /// <summary>How large the document of an entry from this source may be, in bytes.</summary>
    public static int BytesOf(AuditSource source) => source == AuditSource.Strangers ? StrangersBytes : Bytes;

    /// <summary>
    /// The entry, within its bounds: of a stranger's scopes the first are kept. If that is not enough, the device's description of itself
    /// is shortened, then scopes are left out from the end, and last the description.
    /// </summary>
    public static AuditEntry Cut(AuditEntry entry)
    {
        AuditSource source = AuditKinds.SourceOf(entry);
        int bytes = BytesOf(source);
        if (source == AuditSource.Strangers)
            entry = KeepScopes(entry, StrangersScopes);
        if (SizeAtMost(entry) <= bytes)
            return entry; // nearly all entries fit, so no document is made to find out
        int excess = SizeOf(entry) - bytes;
        if (excess <= 0)
            return entry;
        if (entry.Client is { } client)
        {
            entry = entry with { Client = new ClientDescription(Shorten(client.Id), Shorten(client.DisplayName), Shorten(client.Platform), Shorten(client.Mode)) };
            excess = SizeOf(entry) - bytes;
        }

        while (excess > 0 && entry.Scopes is { Count: > 0 } scopes)
        {
            int kept = scopes.Count;
            for (int freed = 0; kept > 0 && freed < excess; kept--)
                freed += scopes[kept - 1].Length;
            entry = KeepScopes(entry, kept);
            excess = SizeOf(entry) - bytes;
        }

        return excess > 0 ? entry with { Client = null, Reason = Shorten(entry.Reason), Note = Shorten(entry.Note) } : entry;
    }

    /// <summary>An upper bound for the size of the entry's document in bytes, found without making it.</summary>
    internal static int SizeAtMost(AuditEntry entry)
    {
        // JSON does not escape the characters of kinds, roles and scopes
        int size = RestOfDocument + entry.Audience.ToString().Length + entry.Kind.Length + (entry.Role?.Length ?? 0);
        foreach (string scope in entry.Scopes ?? ScopeSet.Empty)
            size += scope.Length + 3;
        int free = Length(entry.Operator) + Length(entry.Rule) + Length(entry.Address) + Length(entry.Reason) + Length(entry.Note) + Length(entry.Gateway)
            + Length(entry.Client?.Id) + Length(entry.Client?.DisplayName) + Length(entry.Client?.Platform) + Length(entry.Client?.Mode);
        return size + (BytesOfEscape * free);

        static int Length(string? text) => text?.Length ?? 0;
    }

    private static int SizeOf(AuditEntry entry) => AuditDocument.Serialize(entry).Length;

    private static AuditEntry KeepScopes(AuditEntry entry, int count) => entry.Scopes is { } scopes && scopes.Count > count
        ? entry with { Scopes = ScopeSet.Of(scopes.Take(count)), MoreScopes = entry.MoreScopes + scopes.Count - count }
        : entry;

    private static string? Shorten(string? text) =>
        text is not { Length: > ShortText } ? text : text[..(char.IsHighSurrogate(text[ShortText - 1]) ? ShortText - 1 : ShortText)];
}
