using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Finds paths that a backend may read differently from the gateway's routes. A request that passes a route without a check must not reach
/// a path of a gated route behind it: <c>/open/..%2fagent</c>, <c>/agent%2fx</c>, <c>//agent</c>, <c>/agent;v=1</c>. (In a target of
/// absolute form the server also decodes slashes, after it has resolved dots.)
/// </summary>
internal static class OpenPath
{
    private const int MaxDecodings = 4;

    /// <summary>
    /// Whether every server reads the path alike: after any number of decodings it has no empty segment, no dots, no parameters, no
    /// backslash, and no more slashes.
    /// </summary>
    /// <param name="path">The path that was matched: decoded once, except for slashes.</param>
    public static bool IsPlain(PathString path)
    {
        string text = path.Value ?? "";
        int slashes = text.AsSpan().Count('/');
        for (int i = 0; i < MaxDecodings; i++)
        {
            if (!IsPlain(text) || text.AsSpan().Count('/') != slashes)
                return false;
            string decoded = Uri.UnescapeDataString(text);
            if (decoded == text)
                return !HasEscape(text);
            text = decoded;
        }

        return false; // a client that encodes five times hides something
    }

    private static bool IsPlain(string text)
    {
        foreach (char c in text)
        {
            if (c is '\\' or ';' || char.IsControl(c))
                return false;
        }

        ReadOnlySpan<char> rest = text;
        while (rest.StartsWith('/'))
        {
            rest = rest[1..];
            int end = rest.IndexOf('/');
            ReadOnlySpan<char> segment = end < 0 ? rest : rest[..end];
            if (segment is "." or ".." || (segment.IsEmpty && end >= 0))
                return false;
            rest = rest[segment.Length..];
        }

        return true;
    }

    /// <summary>Whether there are escapes that are no UTF-8, which lenient decoders still read: <c>%c0%ae</c> as a dot.</summary>
    private static bool HasEscape(string text)
    {
        for (int i = text.IndexOf('%'); i >= 0 && i < text.Length - 2; i = text.IndexOf('%', i + 1))
        {
            if (char.IsAsciiHexDigit(text[i + 1]) && char.IsAsciiHexDigit(text[i + 2]))
                return true;
        }

        return false;
    }
}
