using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>Tells where a request comes from, in favour of the stranger's hypothesis: whatever does not add up is not loopback.</summary>
internal static class LocalityReader
{
    private static readonly FrozenSet<string> ProxyHeaders =
        FrozenSet.Create(StringComparer.OrdinalIgnoreCase, "Forwarded", "X-Real-IP", "Via", "True-Client-IP");

    // X-Original-*: what ASP.NET Core's own forwarded headers middleware leaves of X-Forwarded-* once it has made use of it.
    private static readonly ImmutableArray<string> ProxyHeaderPrefixes = ["X-Forwarded", "X-Original-", "CF-", "Tailscale-"];

    /// <summary>Where the request comes from; null if its connection is gone, so that nobody waits for an answer.</summary>
    /// <param name="context">The request.</param>
    /// <param name="trustedProxies">Which proxies' word on the client's address is taken.</param>
    /// <param name="listed">Which headers clients may have besides the usual ones.</param>
    /// <param name="peers">Who can tell the user at the other end.</param>
    /// <param name="strange">A header for which alone the request is not from loopback, and which is no known proxy's either; null if there is none.</param>
    public static ClaimOrigin? Read(
        HttpContext context, ImmutableArray<IPNetwork> trustedProxies, ImmutableArray<string> listed, LoopbackPeers peers, out string? strange)
    {
        strange = null;
        if (!TryFindPeer(context, out EndPoint? peer))
            return null;
        IPAddress? peerAddress = Unmap((peer as IPEndPoint)?.Address);
        bool isTrustedProxy = peerAddress is not null && AutoApproveRule.Contains(trustedProxies, peerAddress);
        string? sign = SignOfProxy(context.Request.Headers, listed);

        bool isLoopback = (peer is UnixDomainSocketEndPoint || (peerAddress is not null && IPAddress.IsLoopback(peerAddress)))
            && !isTrustedProxy
            && NamesLoopback(context.Request.Host);
        if (isLoopback && sign is not null && !TellsOfProxy(sign))
            strange = sign;
        isLoopback &= sign is null;

        IPAddress? client = isTrustedProxy ? ForwardedFor(context.Request.Headers, trustedProxies)
            : sign is not null ? null // whoever says it is a proxy, and is not ours, hides who is behind it
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

    /// <summary>Whether the socket's own peer is one of these proxies.</summary>
    public static bool IsTrustedProxy(HttpContext context, ImmutableArray<IPNetwork> trustedProxies) =>
        TryFindPeer(context, out EndPoint? peer) && Unmap((peer as IPEndPoint)?.Address) is { } address && AutoApproveRule.Contains(trustedProxies, address);

    /// <summary>
    /// The socket's own peer. Not <see cref="ConnectionInfo.RemoteIpAddress"/>, which middleware may rewrite from headers. False if the connection
    /// is gone: a socket that is closed does not even say whose it was.
    /// </summary>
    private static bool TryFindPeer(HttpContext context, out EndPoint? peer)
    {
        try
        {
            peer = context.Features.Get<IConnectionEndPointFeature>() is { } endpoints
                ? endpoints.RemoteEndPoint
                : context.Features.Get<IConnectionSocketFeature>()?.Socket.RemoteEndPoint;
            return true;
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            peer = null;
            return false;
        }
    }

    /// <summary>
    /// A header that says that somebody else stands before the peer, of a known proxy's if there is one; null if there is none. Proxies, tunnels and
    /// content networks have hundreds, and add new ones: so any that clients do not send by themselves, and that the configuration does not name, is one.
    /// </summary>
    private static string? SignOfProxy(IHeaderDictionary headers, ImmutableArray<string> listed)
    {
        string? sign = null;
        foreach ((string name, _) in headers)
        {
            if (ClientHeaders.IsOfClients(name))
                continue;
            if (TellsOfProxy(name))
                return name;
            if (!listed.Contains(name, StringComparer.OrdinalIgnoreCase))
                sign ??= name;
        }

        return sign;
    }

    /// <summary>Whether a header of this name tells of a proxy for certain, named in the configuration or not.</summary>
    private static bool TellsOfProxy(string name)
    {
        string spelled = name.Replace('_', '-'); // some servers on the way take one for the other
        foreach (string prefix in ProxyHeaderPrefixes)
        {
            if (spelled.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return ProxyHeaders.Contains(spelled);
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
