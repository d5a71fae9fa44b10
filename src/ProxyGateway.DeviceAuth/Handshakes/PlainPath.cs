using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Finds paths that a backend may read differently from the gateway's routes. What passes by one route must not reach a path of another, which is gated, or is
/// another agent's, or needs other scopes: <c>/open/..%2fagent</c>, <c>/agent%2fx</c>, <c>//agent</c>, <c>/agent;v=1</c>. Nor a path that no route leads to. (In a
/// target of absolute form the server also decodes slashes, after it has resolved dots; the proxy then resolves them again.)
/// </summary>
internal static class PlainPath
{
    private const int MaxDecodings = 4;

    /// <summary>
    /// Whether every server reads the path alike: after any number of decodings it has no empty segment, no dots, no parameters, no
    /// backslash, and no more slashes, and no letter that was encoded although none needs to be.
    /// </summary>
    /// <param name="path">The path that was matched: decoded once, except for slashes.</param>
    /// <param name="mayEncodeSlashes">
    /// Whether segments may have encoded slashes. The proxy encodes them once more, so they divide segments only for a server that decodes twice.
    /// </param>
    public static bool Is(PathString path, bool mayEncodeSlashes = false)
    {
        string text = path.Value ?? "";
        int slashes = text.AsSpan().Count('/');
        for (int i = 0; i < MaxDecodings; i++)
        {
            if (!IsPlain(text) || (!mayEncodeSlashes && text.AsSpan().Count('/') != slashes) || HasNeedlessEscape(text))
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

    /// <summary>Whether there is an escape of a character that needs none (RFC 3986 §2.3): <c>/%61gent</c> is <c>/agent</c> to a server that decodes once more.</summary>
    private static bool HasNeedlessEscape(string text)
    {
        for (int i = text.IndexOf('%'); i >= 0 && i < text.Length - 2; i = text.IndexOf('%', i + 1))
        {
            if (byte.TryParse(text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte code)
                && (char.IsAsciiLetterOrDigit((char)code) || (char)code is '-' or '.' or '_' or '~'))
            {
                return true;
            }
        }

        return false;
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
