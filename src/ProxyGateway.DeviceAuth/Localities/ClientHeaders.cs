using System.Collections.Frozen;
using System.Collections.Immutable;
using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>
/// Which headers of a client reach a backend behind the gate. Backends believe headers that say who somebody is, or whom a proxy has seen, and
/// nobody knows all of them: so only what is named here or in <see cref="DeviceAuthOptions.RequestHeaders"/> passes, as it is spelled here, since
/// some servers take an underscore for a hyphen. What the gateway itself says to the backend is set after this.
/// </summary>
internal static class ClientHeaders
{
    // RFC 6455 §4.1, RFC 8441 §5. Without Sec-WebSocket-Extensions no frame is compressed, and every byte that is decided on is a byte that is there.
    private static readonly FrozenSet<string> OfUpgrades = Names(
        "Host", "Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Origin", "User-Agent");

    // What RFC 9110 and 9111 say of content, negotiation, conditions, ranges and caches, the Fetch standard of a page's request, and gRPC of a call.
    private static readonly FrozenSet<string> OfHttp = Names(
        "Host", "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Expect", "Origin", "Referer", "User-Agent", "Date", "Priority",
        "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Cache-Control", "Pragma", "Prefer",
        "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Location", "Content-Range", "Content-Type",
        "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Range", "Last-Event-ID",
        "Access-Control-Request-Headers", "Access-Control-Request-Method", "Access-Control-Request-Private-Network", "X-Requested-With",
        "DNT", "Sec-GPC", "Sec-Purpose", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-Storage-Access", "Sec-Fetch-User", "Save-Data", "Service-Worker", "Service-Worker-Navigation-Preload", "Upgrade-Insecure-Requests",
        "Sec-CH-UA", "Sec-CH-UA-Arch", "Sec-CH-UA-Bitness", "Sec-CH-UA-Full-Version-List", "Sec-CH-UA-Mobile", "Sec-CH-UA-Model", "Sec-CH-UA-Platform",
        "Sec-CH-UA-Platform-Version", "Sec-CH-Prefers-Color-Scheme", "Sec-CH-Prefers-Reduced-Motion",
        "traceparent", "tracestate", "grpc-accept-encoding", "grpc-encoding", "grpc-timeout");

    // What clients send of their own accord beside these, be it passed on or not.
    private static readonly FrozenSet<string> OfClients = Names("Authorization", "Cookie", "Sec-WebSocket-Extensions", "baggage");

    // What a proxy may say whose word is taken. The one standard header, Forwarded, says also what else it likes.
    private static readonly FrozenSet<string> OfTrustedProxies = Names(
        "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix");

    /// <summary>Leaves of a WebSocket upgrade's headers what the upgrade needs, and what the configuration names.</summary>
    /// <param name="headers">The request's headers.</param>
    /// <param name="listed">What the configuration names.</param>
    /// <param name="isTrustedProxy">Whether the peer's word on whom it forwards for is taken.</param>
    public static void KeepForUpgrade(IHeaderDictionary headers, ImmutableArray<string> listed, bool isTrustedProxy) =>
        Keep(headers, OfUpgrades, listed, isTrustedProxy);

    /// <summary>Leaves of any other request's headers what HTTP itself needs, and what the configuration names.</summary>
    /// <inheritdoc cref="KeepForUpgrade"/>
    public static void KeepForHttp(IHeaderDictionary headers, ImmutableArray<string> listed, bool isTrustedProxy) =>
        Keep(headers, OfHttp, listed, isTrustedProxy);

    /// <summary>
    /// Whether programs and browsers send a header of this name by themselves. Any other has been added by somebody on the way, for all that can be told.
    /// </summary>
    public static bool IsOfClients(string name) => OfUpgrades.Contains(name) || OfHttp.Contains(name) || OfClients.Contains(name);

    private static void Keep(IHeaderDictionary headers, FrozenSet<string> known, ImmutableArray<string> listed, bool isTrustedProxy)
    {
        List<string>? removed = null;
        foreach ((string name, _) in headers)
        {
            if (!known.Contains(name) && !listed.Contains(name, StringComparer.OrdinalIgnoreCase) && !(isTrustedProxy && OfTrustedProxies.Contains(name)))
                (removed ??= []).Add(name);
        }

        foreach (string name in removed ?? [])
            headers.Remove(name);
    }

    private static FrozenSet<string> Names(params ReadOnlySpan<string> names) => FrozenSet.Create(StringComparer.OrdinalIgnoreCase, names);
}
