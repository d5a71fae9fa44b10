using System.Globalization;
using ProxyGateway.DeviceAuth.Localities;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// Refuses routes that trust a header of MCP which the server might not compare with the body: a client could name a harmless tool in the header, and call
/// another.
/// </summary>
internal static class McpRouteCheck
{
    // Revisions are dates, which are ordered as text. Servers of older ones ignore these headers.
    private const string FirstThatCompares = "2026-07-28";

    /// <summary>What is wrong with the headers that a route matches.</summary>
    public static IEnumerable<string> ErrorsOf(RouteConfig route)
    {
        IReadOnlyList<RouteHeader> matched = route.Match?.Headers ?? [];
        RouteHeader[] ofBody = [.. matched.Where(h => McpHeaders.OfBody.Contains(h.Name))];
        if (ofBody.Length == 0)
            yield break;
        foreach (RouteHeader header in ofBody.Where(h => h.Mode is not (HeaderMatchMode.ExactHeader or HeaderMatchMode.HeaderPrefix)))
            yield return $"Route '{route.RouteId}', match by '{header.Name}': found '{header.Mode}'; allowed: {HeaderMatchMode.ExactHeader}, {HeaderMatchMode.HeaderPrefix} (a name can be encoded, and then contains nothing).";
        if (!matched.Any(ComparesBody))
        {
            yield return $"Route '{route.RouteId}', match by '{ofBody[0].Name}': the route must also match {McpHeaders.ProtocolVersion} exactly, with {FirstThatCompares} or newer, "
                + "since servers of older revisions do not compare the header with the body.";
        }
    }

    private static bool ComparesBody(RouteHeader header) =>
        header.Name.Equals(McpHeaders.ProtocolVersion, StringComparison.OrdinalIgnoreCase)
        && header is { Mode: HeaderMatchMode.ExactHeader, Values.Count: > 0 }
        && header.Values.All(v => DateOnly.TryParseExact(v, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _) && string.CompareOrdinal(v, FirstThatCompares) >= 0);
}
