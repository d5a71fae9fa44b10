using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>Tells where a request comes from, in favour of the stranger's hypothesis: whatever does not add up is not loopback.</summary>
internal static class LocalityReader
{
    private static readonly FrozenSet<string> ProxyHeaders =
        FrozenSet.Create(StringComparer.OrdinalIgnoreCase, "Forwarded", "X-Real-IP", "Via", "True-Client-IP");

    // X-Original-*: what ASP.NET Core's own forwarded headers middleware leaves of X-Forwarded-* once it has made use of it.
    private static readonly ImmutableArray<string> ProxyHeaderPrefixes = ["X-Forwarded", "X-Original-", "CF-", "Tailscale-"];

    /// <summary>Where the request comes from.</summary>
    /// <param name="context">The request.</param>
    /// <param name="trustedProxies">Proxies whose word on the client's address is taken.</param>
    /// <param name="peers">Who can tell the user at the other end.</param>
    public static ClaimOrigin Read(HttpContext context, ImmutableArray<IPNetwork> trustedProxies, LoopbackPeers peers)
    {
        EndPoint? peer = PeerOf(context);
        IPAddress? peerAddress = Unmap((peer as IPEndPoint)?.Address);
        bool isTrustedProxy = IsTrustedProxy(context, trustedProxies);
        bool isForwarded = ShowsProxy(context.Request.Headers);

        bool isLoopback = (peer is UnixDomainSocketEndPoint || (peerAddress is not null && IPAddress.IsLoopback(peerAddress)))
            && !isTrustedProxy
            && !isForwarded
            && NamesLoopback(context.Request.Host);

        IPAddress? client = isTrustedProxy ? ForwardedFor(context.Request.Headers, trustedProxies)
            : isForwarded ? null // whoever says it is a proxy, and is not ours, hides who is behind it
            : peerAddress;
        var locality = new Locality(
            isLoopback,
            client is null || IPAddress.IsLoopback(client) ? null : client,
            IsBrowser: context.Request.Headers.ContainsKey(HeaderNames.Origin));
        string? address = (client ?? peerAddress)?.ToString();
        return new ClaimOrigin(locality, address, peers.Of(context));
    }

    /// <summary>Whether the name or address can only mean this machine.</summary>
    public static bool NamesLoopback(HostString host)
    {
        string name = host.Host;
        if (name.Equals("localhost", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase))
            return true;

        // IPAddress.TryParse takes 127.1, 0x7f.1 and fe80::1%zone too; only what prints as it was written counts.
        ReadOnlySpan<char> text = name.StartsWith('[') && name.EndsWith(']') ? name.AsSpan(1, name.Length - 2) : name;
        return IPAddress.TryParse(text, out IPAddress? address)
            && text.Equals(address.ToString(), StringComparison.OrdinalIgnoreCase)
            && IPAddress.IsLoopback(address);
    }

    /// <summary>Whether a header of this name tells of a proxy, or of whom one has seen.</summary>
    public static bool TellsOfProxy(string name)
    {
        foreach (string prefix in ProxyHeaderPrefixes)
        {
            if (name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return ProxyHeaders.Contains(name);
    }

    /// <summary>Whether the socket's own peer is one of these proxies.</summary>
    public static bool IsTrustedProxy(HttpContext context, ImmutableArray<IPNetwork> trustedProxies) =>
        Unmap((PeerOf(context) as IPEndPoint)?.Address) is { } peer && AutoApproveRule.Contains(trustedProxies, peer);

    /// <summary>
    /// The socket's own peer. Not <see cref="ConnectionInfo.RemoteIpAddress"/>, which middleware may rewrite from headers.
    /// </summary>
    private static EndPoint? PeerOf(HttpContext context) =>
        context.Features.Get<IConnectionEndPointFeature>() is { } endpoints
            ? endpoints.RemoteEndPoint
            : context.Features.Get<IConnectionSocketFeature>()?.Socket.RemoteEndPoint;

    private static bool ShowsProxy(IHeaderDictionary headers)
    {
        foreach ((string name, _) in headers)
        {
            // Some servers on the way take an underscore for a hyphen.
            if (TellsOfProxy(name.Replace('_', '-')))
                return true;
        }

        return false;
    }

    /// <summary>The right-most address that is not a trusted proxy's; null if there is none, or if any on the way to it is malformed.</summary>
    private static IPAddress? ForwardedFor(IHeaderDictionary headers, ImmutableArray<IPNetwork> trustedProxies)
    {
        string[] chain = string.Join(',', headers["X-Forwarded-For"].ToArray()).Split(',', StringSplitOptions.TrimEntries);
        for (int i = chain.Length - 1; i >= 0; i--)
        {
            if (!TryParseHop(chain[i], out IPAddress? hop))
                return null;
            if (!AutoApproveRule.Contains(trustedProxies, hop))
                return hop;
        }

        return null;
    }

    private static bool TryParseHop(string text, out IPAddress hop)
    {
        bool parsed = IPEndPoint.TryParse(text, out IPEndPoint? endpoint);
        hop = parsed ? Unmap(endpoint!.Address)! : IPAddress.None;
        return parsed;
    }

    private static IPAddress? Unmap(IPAddress? address) => address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address;
}
