using System.Net;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Localities;

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

    private sealed class Peer : IConnectionEndPointFeature
    {
        public EndPoint? LocalEndPoint { get; set; }

        public EndPoint? RemoteEndPoint { get; set; } = new IPEndPoint(IPAddress.Loopback, 50000);
    }
}
