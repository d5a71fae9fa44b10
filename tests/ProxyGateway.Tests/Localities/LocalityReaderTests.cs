using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Localities;

public sealed class LocalityReaderTests
{
    [Theory]
    [InlineData("localhost", true)]
    [InlineData("LocalHost:80", true)]
    [InlineData("a.localhost", true)]
    [InlineData("127.0.0.1", true)]
    [InlineData("127.255.255.255:1", true)]
    [InlineData("[::1]", true)]
    [InlineData("[::1]:8080", true)]
    [InlineData("[::ffff:127.0.0.1]:1", true)]
    [InlineData("", false)]
    [InlineData("localhost.", false)]
    [InlineData("localhost.evil.example", false)]
    [InlineData("notlocalhost", false)]
    [InlineData("127.0.0.1.", false)]
    [InlineData("127.0.0.1.evil.example", false)]
    [InlineData("x127.0.0.1]", false)]
    [InlineData("[127.0.0.1x", false)]
    [InlineData("127.1", false)]
    [InlineData("127.0.0.01", false)]
    [InlineData("0x7f.0.0.1", false)]
    [InlineData("0x7f000001", false)]
    [InlineData("2130706433", false)]
    [InlineData("0", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("[::]", false)]
    [InlineData("[::1%1]", false)]
    [InlineData("[0:0:0:0:0:0:0:1]", false)]
    [InlineData("[fe80::1%lo]", false)]
    [InlineData("128.0.0.1", false)]
    [InlineData("[::ffff:128.0.0.1]", false)]
    public void Only_an_unambiguous_host_names_loopback(string host, bool expected) =>
        LocalityReader.NamesLoopback(new HostString(host)).ShouldBe(expected);

    // What web servers, load balancers, tunnels and content networks add; the first of each line is whose.
    [Theory]
    [InlineData("nginx", "X-Real-IP", "X-Real-Port", "X-Scheme", "X-Original-URI", "X-Original-Forwarded-For", "X-Request-ID", "X-SSL-Client-Verify", "Ssl-Client-Cert")]
    [InlineData("Apache", "X-Forwarded-Server", "Via", "X-Remote-User", "Proxy-Connection", "Max-Forwards")]
    [InlineData("HAProxy", "X-Unique-ID", "X-SSL-Client-DN", "X-HAProxy-Server-State", "X-Forwarded-Proto")]
    [InlineData("Envoy", "X-Request-Id", "X-Envoy-External-Address", "X-Envoy-Expected-Rq-Timeout-Ms", "X-Envoy-Attempt-Count", "X-Envoy-Original-Path", "X-Forwarded-Client-Cert", "X-B3-TraceId", "b3")]
    [InlineData("Traefik", "X-Forwarded-Server", "X-Replaced-Path", "X-Forwarded-Tls-Client-Cert")]
    [InlineData("Caddy", "X-Forwarded-For", "X-Forwarded-Uri")]
    [InlineData("Cloudflare", "CF-Ray", "CF-Visitor", "CF-IPCountry", "CF-Worker", "CDN-Loop", "Cf-Warp-Tag-Id")]
    [InlineData("ngrok", "Ngrok-Trace-Id", "Ngrok-Agent-Ips", "Ngrok-Skip-Browser-Warning", "X-Forwarded-Host")]
    [InlineData("Fastly", "Fastly-Client-IP", "Fastly-FF", "Fastly-SSL", "X-Varnish", "X-Timer")]
    [InlineData("Akamai", "True-Client-IP", "Akamai-Origin-Hop", "X-Akamai-Edgescape", "Akamai-Client-IP")]
    [InlineData("AWS", "X-Amzn-Trace-Id", "X-Amz-Cf-Id", "X-Amzn-Lambda-Context", "CloudFront-Viewer-Address", "CloudFront-Forwarded-Proto", "X-Amzn-Tls-Version")]
    [InlineData("Google", "X-Cloud-Trace-Context", "X-Client-Geo-Location", "X-Appengine-User-IP", "X-Goog-Authenticated-User-Id")]
    [InlineData("Azure", "X-Azure-ClientIP", "X-Azure-SocketIP", "X-Azure-FDID", "X-ARR-SSL", "X-ARR-LOG-ID", "X-AppGW-Trace-Id", "X-FD-HealthProbe", "X-WAWS-Unencoded-URL", "Client-IP", "DISGUISED-HOST", "X-SITE-DEPLOYMENT-ID", "WAS-DEFAULT-HOSTNAME", "X-Original-URL")]
    [InlineData("Fly", "Fly-Client-IP", "Fly-Forwarded-Port", "Fly-Region", "Fly-Request-Id")]
    [InlineData("Vercel, Netlify", "X-Vercel-Id", "X-Vercel-IP-Country", "X-Real-Ip", "X-NF-Client-Connection-IP", "X-NF-Request-Id")]
    [InlineData("Heroku", "X-Request-Start", "Connect-Time", "Total-Route-Time", "X-Request-ID")]
    [InlineData("Tailscale", "Tailscale-User-Login", "Tailscale-Headers-Info", "Tailscale-Funnel-Request")]
    [InlineData("tunnels", "X-Original-Host", "X-Original-Proto", "X-MS-Proxy", "X-Tunnel-Authorization", "X-Tunnel-Port", "X-Localtunnel-Agent", "X-Pinggy-No-Screen", "Bypass-Tunnel-Reminder")]
    [InlineData("others", "X-Client-IP", "X-Cluster-Client-IP", "X-ProxyUser-Ip", "X-Host", "X-Forwarded", "Forwarded-For", "Forwarded", "X-Originating-IP", "X-Remote-IP", "X-Remote-Addr", "X-Client-Port", "WL-Proxy-Client-IP", "Proxy-Client-IP", "X-BlueCoat-Via", "X-Rewrite-URL", "X-HTTP-Host-Override", "Front-End-Https", "X-Url-Scheme", "X-Coming-From", "X-Nginx-Proxy", "X-Iinfo", "Incap-Client-IP", "X-Sucuri-ClientIP", "X-SUCURI-Country", "X-Correlation-Id", "X-LB", "Surrogate-Capability", "X-ORIGINAL-IP", "X_Real_IP", "Via")]
    public void A_header_that_proxies_add_indicates_a_proxy(string whose, params string[] headers)
    {
        foreach (string header in headers)
        {
            ClaimOrigin origin = Read([header], listed: []);
            origin.Locality.IsLoopback.ShouldBeFalse($"{whose}: {header}");
            origin.Locality.Address.ShouldBeNull();
        }
    }

    // Each sends Host, Connection, Upgrade, Sec-WebSocket-Key and -Version as well.
    [Theory]
    [InlineData("ws of Node, with which OpenClaw connects", "Sec-WebSocket-Extensions")]
    [InlineData("ws with what it can be given", "Sec-WebSocket-Protocol", "Authorization", "Cookie", "User-Agent", "Origin")]
    [InlineData(".NET", "traceparent", "tracestate", "baggage", "Sec-WebSocket-Protocol")]
    [InlineData("Python", "User-Agent", "Accept", "Accept-Encoding", "Sec-WebSocket-Extensions")]
    [InlineData("curl", "User-Agent", "Accept")]
    [InlineData("OkHttp", "Accept-Encoding", "User-Agent", "Sec-WebSocket-Extensions")]
    [InlineData("Apple", "Accept", "Accept-Language", "Accept-Encoding", "Cache-Control", "Pragma", "User-Agent", "Origin", "Sec-WebSocket-Extensions")]
    [InlineData("Chromium", "Pragma", "Cache-Control", "User-Agent", "Origin", "Accept-Encoding", "Accept-Language", "Cookie", "Sec-WebSocket-Extensions", "Sec-GPC", "DNT")]
    [InlineData("Firefox", "User-Agent", "Accept", "Accept-Language", "Accept-Encoding", "Origin", "Sec-WebSocket-Extensions", "DNT", "Sec-GPC", "Cookie", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Pragma", "Cache-Control", "sec-fetch-storage-access", "Priority")]
    [InlineData("one that is given a header, which is named", "X-Local")]
    public void A_header_that_clients_send_by_themselves_indicates_no_proxy(string whose, params string[] headers) =>
        Read(["Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", .. headers], ["x-local"]).Locality.IsLoopback.ShouldBeTrue(whose);

    // peer, Host, headers; then whether it is loopback, the address for CIDR rules, and the one that operators see
    [Theory]
    [InlineData("127.0.0.1", "localhost", "", true, null, "127.0.0.1")]
    [InlineData("127.9.9.9", "127.0.0.1:80", "", true, null, "127.9.9.9")]
    [InlineData("::1", "[::1]", "", true, null, "::1")]
    [InlineData("::ffff:127.0.0.1", "localhost", "", true, null, "127.0.0.1")]
    [InlineData("127.0.0.1", "gateway.example", "", false, null, "127.0.0.1")]
    [InlineData("192.0.2.1", "localhost", "", false, "192.0.2.1", "192.0.2.1")]
    [InlineData("::ffff:192.0.2.1", "gateway.example", "", false, "192.0.2.1", "192.0.2.1")]
    [InlineData("2001:db8::1", "gateway.example", "", false, "2001:db8::1", "2001:db8::1")]
    [InlineData("192.0.2.1", "gateway.example", "X-Forwarded-For: 198.51.100.1", false, null, "192.0.2.1")]
    [InlineData("192.0.2.1", "gateway.example", "X-Strange: 1", false, null, "192.0.2.1")]
    [InlineData("127.0.0.1", "localhost", "X-Forwarded-For: 198.51.100.1", false, null, "127.0.0.1")]
    [InlineData("unix", "localhost", "", true, null, null)]
    [InlineData("unix", "gateway.example", "", false, null, null)]
    [InlineData("unix", "localhost", "Via: 1.1 x", false, null, null)]
    [InlineData("unknown", "localhost", "", false, null, null)]

    // 10.0.0.1 and 10.0.1.0/24 are proxies of ours, as is 127.0.0.7.
    [InlineData("10.0.0.1", "gateway.example", "", false, null, "10.0.0.1")]
    [InlineData("::ffff:10.0.0.1", "gateway.example", "X-Forwarded-For: 198.51.100.1", false, "198.51.100.1", "198.51.100.1")]
    [InlineData("10.0.0.1", "localhost", "X-Forwarded-For: 127.0.0.1", false, null, "127.0.0.1")]
    [InlineData("10.0.0.1", "gateway.example", "X-Forwarded-For: 198.51.100.1, 203.0.113.7 , 10.0.1.200", false, "203.0.113.7", "203.0.113.7")]
    [InlineData("10.0.0.1", "gateway.example", "X-Forwarded-For: 198.51.100.1|X-Forwarded-For: 203.0.113.7", false, "203.0.113.7", "203.0.113.7")]
    [InlineData("10.0.0.1", "gateway.example", "X-Forwarded-For: 198.51.100.1:4711", false, "198.51.100.1", "198.51.100.1")]
    [InlineData("10.0.0.1", "gateway.example", "X-Forwarded-For: [2001:db8::1]:4711", false, "2001:db8::1", "2001:db8::1")]
    [InlineData("10.0.0.1", "gateway.example", "X-Forwarded-For: ::ffff:198.51.100.1", false, "198.51.100.1", "198.51.100.1")]
    [InlineData("10.0.0.1", "gateway.example", "X-Forwarded-For: 198.51.100.1, unknown", false, null, "10.0.0.1")]
    [InlineData("10.0.0.1", "gateway.example", "X-Forwarded-For: unknown, 198.51.100.1", false, "198.51.100.1", "198.51.100.1")]
    [InlineData("10.0.0.1", "gateway.example", "X-Forwarded-For: 10.0.1.2, 10.0.0.1", false, null, "10.0.0.1")]
    [InlineData("10.0.0.1", "gateway.example", "X-Forwarded-For: ", false, null, "10.0.0.1")]
    [InlineData("127.0.0.7", "localhost", "", false, null, "127.0.0.7")]
    public void Where_a_request_comes_from(string peer, string host, string headers, bool isLoopback, string? address, string? shown)
    {
        ClaimOrigin origin = Read(Request(peer, host, headers), out _).ShouldNotBeNull();

        (origin.Locality.IsLoopback, origin.Locality.Address?.ToString(), origin.Address).ShouldBe((isLoopback, address, shown));
        origin.Locality.IsBrowser.ShouldBeFalse();
        origin.LookUpPeerUser().ShouldBe(PeerUser.Unknown, "there is no socket");
    }

    [Fact]
    public void A_request_with_an_origin_is_a_browsers() =>
        Read(Request("127.0.0.1", "localhost", "Origin: null"), out _).ShouldNotBeNull().Locality.IsBrowser.ShouldBeTrue();

    [Fact]
    public void An_image_of_a_page_is_a_browsers() =>
        Read(Request("127.0.0.1", "localhost", "Sec-Fetch-Site: cross-site"), out _).ShouldNotBeNull().Locality.ShouldBe(new Locality(IsLoopback: true, IsBrowser: true));

    // The log says which header it was that kept a request from being loopback's, where that may surprise.
    [Theory]
    [InlineData("127.0.0.1", "localhost", "X-Strange: 1", "X-Strange")]
    [InlineData("127.0.0.1", "localhost", "X-Strange: 1|X-Stranger: 1", "X-Strange")]
    [InlineData("127.0.0.1", "localhost", "X-Strange: 1|Via: 1.1 x", null)]
    [InlineData("127.0.0.1", "localhost", "Via: 1.1 x|X-Strange: 1", null)]
    [InlineData("127.0.0.1", "localhost", "Forwarded: for=198.51.100.1", null)]
    [InlineData("127.0.0.1", "localhost", "True-Client-IP: 198.51.100.1", null)]
    [InlineData("127.0.0.1", "localhost", "X-Real-IP: 198.51.100.1", null)]
    [InlineData("127.0.0.1", "localhost", "X_Forwarded_For: 198.51.100.1", null)]
    [InlineData("127.0.0.1", "localhost", "X-Named: 1", null)]
    [InlineData("127.0.0.1", "localhost", "x-named: 1|X-Strange: 1", "X-Strange")]
    [InlineData("127.0.0.1", "localhost", "", null)]
    [InlineData("unix", "localhost", "X-Strange: 1", "X-Strange")]
    [InlineData("127.0.0.1", "gateway.example", "X-Strange: 1", null)]
    [InlineData("127.0.0.7", "localhost", "X-Strange: 1", null)]
    [InlineData("192.0.2.1", "localhost", "X-Strange: 1", null)]
    public void A_header_for_which_alone_it_is_not_loopback_is_named(string peer, string host, string headers, string? expected)
    {
        Read(Request(peer, host, headers), out string? strange).ShouldNotBeNull();

        strange.ShouldBe(expected);
    }

    [Fact]
    public void A_proxys_header_is_a_sign_of_one_though_the_configuration_names_it()
    {
        ClaimOrigin origin = Read(["X-Real-IP"], ["X-Real-IP"]);

        (origin.Locality.IsLoopback, origin.Locality.Address).ShouldBe((false, null));
    }

    [Fact]
    public void A_socket_says_whose_it_is_where_the_server_does_not()
    {
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        client.Connect(listener.LocalEndPoint!);
        using Socket accepted = listener.Accept();
        HttpContext context = Request("none", "localhost", "");
        context.Features.Set<IConnectionSocketFeature>(new Connected(accepted));

        ClaimOrigin origin = Read(context, out _).ShouldNotBeNull();

        (origin.Locality.IsLoopback, origin.Address).ShouldBe((true, "127.0.0.1"));
        LocalityReader.IsTrustedProxy(context, [IPNetwork.Parse("127.0.0.1/32")]).ShouldBeTrue();

        accepted.Dispose();
        Read(context, out string? strange).ShouldBeNull("its connection is gone");
        strange.ShouldBeNull();
        LocalityReader.IsTrustedProxy(context, [IPNetwork.Parse("127.0.0.1/32")]).ShouldBeFalse();
    }

    [Fact]
    public void Without_a_socket_it_comes_from_nowhere()
    {
        ClaimOrigin origin = Read(Request("none", "localhost", ""), out _).ShouldNotBeNull();

        (origin.Locality.IsLoopback, origin.Locality.Address, origin.Address).ShouldBe((false, null, null));
    }

    [Theory]
    [InlineData("10.0.0.1", true)]
    [InlineData("::ffff:10.0.0.1", true)]
    [InlineData("10.0.1.200", true)]
    [InlineData("10.0.2.1", false)]
    [InlineData("127.0.0.1", false)]
    [InlineData("unix", false)]
    [InlineData("none", false)]
    public void A_proxy_is_trusted_by_its_own_address(string peer, bool expected) =>
        LocalityReader.IsTrustedProxy(Request(peer, "localhost", ""), TrustedProxies).ShouldBe(expected);

    private static ImmutableArray<IPNetwork> TrustedProxies { get; } = [IPNetwork.Parse("10.0.0.1/32"), IPNetwork.Parse("10.0.1.0/24"), IPNetwork.Parse("127.0.0.7/32")];

    private static ClaimOrigin? Read(HttpContext context, out string? strange)
    {
        using var logger = new PacedLogger<LoopbackPeers>(NullLogger<LoopbackPeers>.Instance, TimeProvider.System);
        return LocalityReader.Read(context, TrustedProxies, ["X-Named"], new LoopbackPeers(logger), out strange);
    }

    private static DefaultHttpContext Request(string peer, string host, string headers)
    {
        var context = new DefaultHttpContext();
        if (peer != "none")
        {
            context.Features.Set<IConnectionEndPointFeature>(new Peer
            {
                RemoteEndPoint = peer switch
                {
                    "unix" => new UnixDomainSocketEndPoint("/run/gateway"),
                    "unknown" => null,
                    _ => new IPEndPoint(IPAddress.Parse(peer), 50000),
                },
            });
        }

        context.Request.Host = new HostString(host);
        foreach (string[] header in headers.Split('|', StringSplitOptions.RemoveEmptyEntries).Select(h => h.Split(": ", 2)))
            context.Request.Headers.Append(header[0], header[1]);
        return context;
    }

    private static ClaimOrigin Read(string[] headers, string[] listed)
    {
        var context = new DefaultHttpContext();
        context.Features.Set<IConnectionEndPointFeature>(new Peer());
        context.Request.Host = new HostString("localhost");
        foreach (string header in headers)
            context.Request.Headers[header] = "1";
        using var logger = new PacedLogger<LoopbackPeers>(NullLogger<LoopbackPeers>.Instance, TimeProvider.System);
        return LocalityReader.Read(context, trustedProxies: [], [.. listed], new LoopbackPeers(logger), out _).ShouldNotBeNull();
    }

    private sealed class Connected(Socket socket) : IConnectionSocketFeature
    {
        public Socket Socket => socket;
    }

    private sealed class Peer : IConnectionEndPointFeature
    {
        public EndPoint? LocalEndPoint { get; set; }

        public EndPoint? RemoteEndPoint { get; set; } = new IPEndPoint(IPAddress.Loopback, 50000);
    }
}
