using System.Diagnostics.CodeAnalysis;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>Reads origins as browsers send them: <c>scheme://host[:port]</c>, RFC 6454 section 6.2.</summary>
internal static class OriginNames
{
    /// <summary>The form of an origin, for people.</summary>
    public const string Form = "exact origins, as in https://example.org or http://localhost:3000, with no path and no *";

    /// <summary>
    /// Reads an origin: lower case, the host in ASCII, without its scheme's default port. No path, no wildcard, no <c>null</c>.
    /// </summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out string? origin)
    {
        origin = null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? uri)
            || uri.IdnHost.Length == 0
            || text.Contains('*', StringComparison.Ordinal)
            || text.Any(c => char.IsWhiteSpace(c) || char.IsControl(c) || c is '@' or '\\' or '?' or '#')
            || !text.StartsWith(uri.Scheme + "://", StringComparison.OrdinalIgnoreCase)
            || text.IndexOf('/', uri.Scheme.Length + "://".Length) >= 0)
        {
            return false;
        }

        string host = uri.HostNameType == UriHostNameType.IPv6 ? $"[{uri.IdnHost}]" : uri.IdnHost;
        origin = (uri.IsDefaultPort ? $"{uri.Scheme}://{host}" : $"{uri.Scheme}://{host}:{uri.Port}").ToLowerInvariant();
        return true;
    }
}
