using System.Collections.Immutable;
using System.Text;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// Compares the claim <c>htu</c> with a request. The authority must be one that the configuration names: a hostile site could relay a gateway's nonce to a
/// device, and the proof that it gets, with its own name in <c>Host</c>.
/// </summary>
internal static class ProofUrl
{
    /// <summary>Whether the claim is the URL of a request for this path.</summary>
    /// <param name="url">The claim.</param>
    /// <param name="path">The path exactly as it was received, without query.</param>
    /// <param name="publicOrigins">The gateway's origins, as clients see them; empty: any origin on loopback.</param>
    public static bool Fits(string? url, string path, ImmutableArray<string> publicOrigins)
    {
        if (url is null || url.AsSpan().ContainsAny('?', '#') || !path.StartsWith('/'))
            return false;
        int pathAt = PathOf(url);
        if (pathAt < 0)
            return false;
        ReadOnlySpan<char> claimed = url.AsSpan(pathAt);
        return IsOwn(url[..pathAt], publicOrigins)
            && (claimed.SequenceEqual(path) || Normalize(claimed).Equals(Normalize(path), StringComparison.Ordinal));
    }

    /// <summary>The path of a request target, as it was received; empty if it has none of which a client could know.</summary>
    /// <param name="target">The request target: of origin form, in HTTP/2 the pseudo-header <c>:path</c>.</param>
    public static string PathOfTarget(string target)
    {
        int query = target.IndexOf('?', StringComparison.Ordinal);
        string path = query < 0 ? target : target[..query];
        return path.StartsWith('/') ? path : "";
    }

    /// <summary>What the claim must be, for a refusal: the first of the origins, and the path.</summary>
    public static string Expected(HttpContext http, string path, ImmutableArray<string> publicOrigins) =>
        (publicOrigins.IsEmpty ? $"{http.Request.Scheme}://localhost:{http.Connection.LocalPort}" : publicOrigins[0]) + path;

    /// <summary>Percent-encodings in one spelling (RFC 3986 §6.2.2): upper-case digits, and none for a character that needs none.</summary>
    internal static string Normalize(ReadOnlySpan<char> path)
    {
        if (!path.Contains('%'))
            return path.ToString();
        var normal = new StringBuilder(path.Length);
        for (int i = 0; i < path.Length; i++)
        {
            if (path[i] != '%' || i + 2 >= path.Length || !char.IsAsciiHexDigit(path[i + 1]) || !char.IsAsciiHexDigit(path[i + 2]))
            {
                normal.Append(path[i]);
                continue;
            }

            char decoded = (char)Convert.FromHexString(path.Slice(i + 1, 2))[0];
            if (char.IsAsciiLetterOrDigit(decoded) || decoded is '-' or '.' or '_' or '~')
                normal.Append(decoded);
            else
                normal.Append('%').Append(char.ToUpperInvariant(path[i + 1])).Append(char.ToUpperInvariant(path[i + 2]));
            i += 2;
        }

        return normal.ToString();
    }

    private static int PathOf(string url)
    {
        int scheme = url.IndexOf("://", StringComparison.Ordinal);
        return scheme < 0 ? -1 : url.IndexOf('/', scheme + "://".Length);
    }

    private static bool IsOwn(string origin, ImmutableArray<string> publicOrigins) =>
        publicOrigins.IsEmpty ? IsLoopback(origin) : publicOrigins.Contains(origin, StringComparer.Ordinal);

    private static bool IsLoopback(string origin)
    {
        string authority = origin.StartsWith("http://", StringComparison.Ordinal) ? origin["http://".Length..]
            : origin.StartsWith("https://", StringComparison.Ordinal) ? origin["https://".Length..]
            : "";
        if (authority.Length == 0 || authority.Contains('@', StringComparison.Ordinal))
            return false;
        int end = authority.StartsWith('[') ? authority.IndexOf(']', StringComparison.Ordinal) + 1 : authority.IndexOf(':', StringComparison.Ordinal);
        ReadOnlySpan<char> port = end <= 0 ? [] : authority.AsSpan(end);
        return (port.IsEmpty || (port[0] == ':' && port.Length is > 1 and <= 6 && !port[1..].ContainsAnyExceptInRange('0', '9')))
            && LocalityReader.NamesLoopback(new HostString(end <= 0 ? authority : authority[..end]));
    }
}
