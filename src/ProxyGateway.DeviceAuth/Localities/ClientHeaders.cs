using System.Collections.Frozen;
using System.Collections.Immutable;
using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>
/// Which headers of a client reach a backend behind the gate. Backends trust headers that name a user or a proxy's client: a client that
/// could send one would be that user. No list of those is complete, so only headers that are named here or in
/// <see cref="DeviceAuthOptions.RequestHeaders"/> pass, spelled exactly so, since some servers read an underscore as a hyphen. The gateway
/// sets its own headers after this.
/// </summary>
internal static class ClientHeaders
{
    // RFC 6455 §4.1, RFC 8441 §5. Without Sec-WebSocket-Extensions no frame is compressed, so the gate decides on the bytes that the
    // backend reads.
    private static readonly FrozenSet<string> OfUpgrades = Names(
        "Host", "Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Origin", "User-Agent");

    // The headers of RFC 9110 and 9111 for content, negotiation, conditions, ranges and caches, of the Fetch standard for a page's request, of gRPC for a call,
    // and of the protocols of agents: MCP (to which ParameterOfTool belongs), A2A, ACP.
    private static readonly FrozenSet<string> OfHttp = Names(
        "Host", "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Expect", "Origin", "Referer", "User-Agent", "Date", "Priority",
        "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Cache-Control", "Pragma", "Prefer",
        "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Location", "Content-Range", "Content-Type",
        "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Range", "Last-Event-ID",
        "Access-Control-Request-Headers", "Access-Control-Request-Method", "Access-Control-Request-Private-Network", "X-Requested-With",
        "DNT", "Sec-GPC", "Sec-Purpose", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-Storage-Access", "Sec-Fetch-User", "Save-Data", "Service-Worker", "Service-Worker-Navigation-Preload", "Upgrade-Insecure-Requests",
        "Sec-CH-UA", "Sec-CH-UA-Arch", "Sec-CH-UA-Bitness", "Sec-CH-UA-Full-Version-List", "Sec-CH-UA-Mobile", "Sec-CH-UA-Model", "Sec-CH-UA-Platform",
        "Sec-CH-UA-Platform-Version", "Sec-CH-Prefers-Color-Scheme", "Sec-CH-Prefers-Reduced-Motion",
        "traceparent", "tracestate", "grpc-accept-encoding", "grpc-encoding", "grpc-timeout",
        "Mcp-Session-Id", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "A2A-Version", "A2A-Extensions", "Acp-Connection-Id", "Acp-Session-Id");

    private const string ParameterOfTool = "Mcp-Param-";

    // Other headers that clients send by themselves, whether they are forwarded or not.
    private static readonly FrozenSet<string> OfClients = Names("Authorization", "Cookie", "Sec-WebSocket-Extensions", "baggage");

    // The headers that a trusted proxy may send. The standard header, Forwarded, is not among them: it may also carry other members.
    private static readonly FrozenSet<string> OfTrustedProxies = Names(
        "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix");

    /// <summary>Keeps of a WebSocket upgrade's headers those that the upgrade needs and the configured ones.</summary>
    /// <param name="headers">The request's headers.</param>
    /// <param name="listed">The configured headers.</param>
    /// <param name="isTrustedProxy">Whether the peer is a trusted proxy.</param>
    public static void KeepForUpgrade(IHeaderDictionary headers, ImmutableArray<string> listed, bool isTrustedProxy) =>
        Keep(headers, OfUpgrades.Contains, listed, isTrustedProxy);

    /// <summary>Keeps of any other request's headers those that HTTP needs and the configured ones.</summary>
    /// <inheritdoc cref="KeepForUpgrade"/>
    public static void KeepForHttp(IHeaderDictionary headers, ImmutableArray<string> listed, bool isTrustedProxy) =>
        Keep(headers, IsOfHttp, listed, isTrustedProxy);

    /// <summary>
    /// Whether programs and browsers send a header of this name by themselves. The gate assumes that a proxy added any other.
    /// </summary>
    public static bool IsOfClients(string name) => OfUpgrades.Contains(name) || IsOfHttp(name) || OfClients.Contains(name);

    private static bool IsOfHttp(string name) => OfHttp.Contains(name) || name.StartsWith(ParameterOfTool, StringComparison.OrdinalIgnoreCase);

    private static void Keep(IHeaderDictionary headers, Func<string, bool> isKnown, ImmutableArray<string> listed, bool isTrustedProxy)
    {
        List<string>? removed = null;
        foreach ((string name, _) in headers)
        {
            if (!isKnown(name) && !listed.Contains(name, StringComparer.OrdinalIgnoreCase) && !(isTrustedProxy && OfTrustedProxies.Contains(name)))
                (removed ??= []).Add(name);
        }

        foreach (string name in removed ?? [])
            headers.Remove(name);
    }

    private static FrozenSet<string> Names(params ReadOnlySpan<string> names) => FrozenSet.Create(StringComparer.OrdinalIgnoreCase, names);
}
