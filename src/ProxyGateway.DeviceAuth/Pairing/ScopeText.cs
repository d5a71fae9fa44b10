namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Scopes in one text, as OAuth writes them (RFC 6749 §3.3): one blank between two.</summary>
internal static class ScopeText
{
    /// <summary>What is allowed, for people.</summary>
    public const string Form = "at most 64 scopes, each 1 to 128 of A-Z a-z 0-9 . _ : -, with one blank between two";

    /// <summary>Reads scopes; null for null, and none for an empty text.</summary>
    public static bool TryRead(string? text, out ScopeSet? scopes)
    {
        scopes = text is null ? null : ScopeSet.Empty;
        if (string.IsNullOrEmpty(text))
            return true;
        string[] names = text.Split(' ');
        if (names.Length > DeviceClaim.MaxScopes || !names.All(name => ScopeSet.IsValidName(name)))
            return false;
        scopes = ScopeSet.Of(names);
        return true;
    }
}
