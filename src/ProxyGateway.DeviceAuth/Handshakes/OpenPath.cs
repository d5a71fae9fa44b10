using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Paths that a backend may read as others than the gateway's routes do. What passes a route without a check must not become, behind it, a path
/// of a route that is gated: <c>/open/..%2fagent</c>, <c>//agent</c>, <c>/agent;v=1</c>.
/// </summary>
internal static class OpenPath
{
    private const int MaxDecodings = 4;

    /// <summary>Whether every server reads the path alike: however often it is decoded, it has no empty segment, no dots, no parameters and no backslash.</summary>
    /// <param name="path">The path as it was matched: decoded once, but for slashes.</param>
    public static bool IsPlain(PathString path)
    {
        string text = path.Value ?? "";
        for (int i = 0; i < MaxDecodings; i++)
        {
            if (!IsPlain(text))
                return false;
            string decoded = Uri.UnescapeDataString(text);
            if (decoded == text)
                return true;
            text = decoded;
        }

        return false; // who encodes five times has something to hide
    }

    private static bool IsPlain(string text)
    {
        if (text.AsSpan().ContainsAny('\\', ';', '\0'))
            return false;
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
}
