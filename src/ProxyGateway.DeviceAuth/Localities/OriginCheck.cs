using System.Collections.Immutable;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>
/// Browsers are not bound by the same-origin policy on WebSockets: any page may open one to a gateway on its reader's own machine. They
/// do say which page it is.
/// </summary>
internal static class OriginCheck
{
    /// <summary>Whether a request with these origins may go on: it has none, or one that is listed or the gateway's own on loopback.</summary>
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
