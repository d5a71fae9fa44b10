using System.Collections.Immutable;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>
/// The same-origin policy does not cover WebSockets: any page may open one to a gateway on its reader's machine. But browsers send the
/// page's origin. They do not for an image or a script, but say by Sec-Fetch-Site (W3C Fetch Metadata) whose page wants it.
/// </summary>
internal static class OriginCheck
{
    private const string FetchSite = "Sec-Fetch-Site";

    /// <summary>Whether a browser has sent the request.</summary>
    public static bool IsOfBrowser(HttpRequest request) => request.Headers.Origin.Count > 0 || request.Headers[FetchSite].Count > 0;

    /// <summary>
    /// Whether requests with these origins are allowed: without an origin, with a listed one, or with the gateway's own on loopback. Without an origin not for
    /// a page of another site.
    /// </summary>
    public static bool Allows(HttpRequest request, ImmutableArray<string> allowedOrigins)
    {
        StringValues origins = request.Headers.Origin;
        if (origins.Count == 0)
            return request.Headers[FetchSite] is { Count: 0 } or ["same-origin" or "none"];
        if (origins.Count != 1 || origins[0] is not { } origin)
            return false;
        return allowedOrigins.Contains(origin, StringComparer.OrdinalIgnoreCase)
            || (LocalityReader.NamesLoopback(request.Host) && origin.Equals($"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase));
    }
}
