using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Paths that a backend may read as others than the gateway's routes do. What passes a route without a check must not become, behind it, a path
/// of a route that is gated: <c>/open/..%2fagent</c>, <c>/agent%2fx</c>, <c>//agent</c>, <c>/agent;v=1</c>. (Of a target in absolute form the server decodes slashes too,
/// after it has resolved dots.)
/// </summary>
internal static class OpenPath
{
    private const int MaxDecodings = 4;

    /// <summary>Whether every server reads the path alike: however often it is decoded, it has no empty segment, no dots, no parameters, no backslash, and no more slashes.</summary>
    /// <param name="path">The path as it was matched: decoded once, but for slashes.</param>
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

        return false; // who encodes five times has something to hide
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

    /// <summary>Whether there are escapes that are no UTF-8, which lenient decoders read all the same: <c>%c0%ae</c> as a dot.</summary>
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
