using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>Determines where a request comes from. When in doubt, it treats the client as a stranger, not as loopback.</summary>
internal static class LocalityReader
{
    private static readonly FrozenSet<string> ProxyHeaders =
        FrozenSet.Create(StringComparer.OrdinalIgnoreCase, "Forwarded", "X-Real-IP", "Via", "True-Client-IP");

    // X-Original-*: ASP.NET Core's own forwarded headers middleware renames X-Forwarded-* headers that it has used to this.
    private static readonly ImmutableArray<string> ProxyHeaderPrefixes = ["X-Forwarded", "X-Original-", "CF-", "Tailscale-"];

    /// <summary>The origin of the request; null if its connection is gone, so nobody waits for an answer.</summary>
    /// <param name="context">The request.</param>
    /// <param name="trustedProxies">The proxies whose forwarded client address counts.</param>
    /// <param name="listed">The configured headers, which clients may send besides the usual ones.</param>
    /// <param name="peers">Finds the user at the other end.</param>
    /// <param name="strange">The header because of which alone the request is not loopback, if it is no known proxy's; else null.</param>
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
            : sign is not null ? null // an untrusted peer that claims to be a proxy hides its client
            : peerAddress;
        var locality = new Locality(
            isLoopback,
            client is null || IPAddress.IsLoopback(client) ? null : client,
            IsBrowser: OriginCheck.IsOfBrowser(context.Request));
        string? address = (client ?? peerAddress)?.ToString();
        return new ClaimOrigin(locality, address, peers.Of(context));
    }

    /// <summary>Whether the name or address can only mean this machine.</summary>
    public static bool NamesLoopback(HostString host)
    {
        string name = host.Host;
        if (name.Equals("localhost", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase))
            return true;

        // IPAddress.TryParse also accepts 127.1, 0x7f.1 and fe80::1%zone; only the canonical spelling counts.
        ReadOnlySpan<char> text = name.StartsWith('[') && name.EndsWith(']') ? name.AsSpan(1, name.Length - 2) : name;
        return IPAddress.TryParse(text, out IPAddress? address)
            && text.Equals(address.ToString(), StringComparison.OrdinalIgnoreCase)
            && IPAddress.IsLoopback(address);
    }

    /// <summary>Whether the socket's own peer is one of these proxies.</summary>
    public static bool IsTrustedProxy(HttpContext context, ImmutableArray<IPNetwork> trustedProxies) =>
        TryFindPeer(context, out EndPoint? peer) && Unmap((peer as IPEndPoint)?.Address) is { } address && AutoApproveRule.Contains(trustedProxies, address);

    /// <summary>
    /// The socket's own peer. Not <see cref="ConnectionInfo.RemoteIpAddress"/>, which middleware may rewrite from headers. False if the
    /// connection is gone: a closed socket does not report its peer.
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
    /// A header that indicates a proxy before the peer, preferably one of a known proxy; null if there is none. Proxies, tunnels and
    /// content networks have hundreds and add new ones, so any header counts that clients do not send by themselves and the configuration
    /// does not name.
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

    /// <summary>Whether a header of this name always indicates a proxy, even if the configuration names it.</summary>
    private static bool TellsOfProxy(string name)
    {
        string spelled = name.Replace('_', '-'); // some servers read one as the other
        foreach (string prefix in ProxyHeaderPrefixes)
        {
            if (spelled.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return ProxyHeaders.Contains(spelled);
    }

    /// <summary>
    /// The right-most address that is no trusted proxy's; null if there is none, or if one to the right of it is malformed.
    /// </summary>
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
