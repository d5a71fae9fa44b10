using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>
/// Routes that match by the headers which MCP servers of revision 2026-07-28 compare with the body. The proxy's matching reads a header as a list and takes any
/// element; a server reads it whole. So <c>Mcp-Name: file:///open,/../secret</c> would match a route for <c>file:///open</c>, and the server read the
/// rest as well.
/// </summary>
internal static class McpHeaders
{
    /// <summary>The header whose value says that the server compares the others.</summary>
    public const string ProtocolVersion = "MCP-Protocol-Version";

    /// <summary>The headers that repeat a part of the body.</summary>
    public static FrozenSet<string> OfBody { get; } = FrozenSet.Create(StringComparer.OrdinalIgnoreCase, "Mcp-Method", "Mcp-Name");

    /// <summary>Whether a header by which the route matches could be read in more than one way.</summary>
    public static bool AreAmbiguous(IReadOnlyList<RouteHeader>? matched, IHeaderDictionary headers)
    {
        if (matched is null)
            return false;
        foreach (RouteHeader header in matched)
        {
            if ((OfBody.Contains(header.Name) || header.Name.Equals(ProtocolVersion, StringComparison.OrdinalIgnoreCase)) && IsAmbiguous(headers[header.Name]))
                return true;
        }

        return false;
    }

    private static bool IsAmbiguous(StringValues values) => values.Count > 1 || values.ToString().AsSpan().ContainsAny(',', '"');
}
