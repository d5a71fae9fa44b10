using System.Collections.Immutable;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>
/// The same-origin policy does not cover WebSockets: any page may open one to a gateway on its reader's machine. But browsers send the
/// page's origin.
/// </summary>
internal static class OriginCheck
{
    /// <summary>
    /// Whether requests with these origins are allowed: without an origin, with a listed one, or with the gateway's own on loopback.
    /// </summary>
    public static bool Allows(HttpRequest request, ImmutableArray<string> allowedOrigins)
    {
        StringValues origins = request.Headers.Origin;
        if (origins.Count == 0)
            return true;
        if (origins.Count != 1 || origins[0] is not { } origin)
            return false;
        return allowedOrigins.Contains(origin, StringComparer.OrdinalIgnoreCase)
            || (LocalityReader.NamesLoopback(request.Host) && origin.Equals($"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase));
    }
}
