using System.Collections.Immutable;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.Tests.Localities;

/// <summary>Which headers of a client reach a backend, and which say that somebody else stands before the peer.</summary>
public sealed class ClientHeadersTests
{
    // name, then whether it passes on an upgrade, on plain HTTP, and whether clients send it by themselves
    [Theory]
    [InlineData("Host", true, true, true)]
    [InlineData("hOST", true, true, true)]
    [InlineData("Connection", true, true, true)]
    [InlineData("Upgrade", true, false, true)]
    [InlineData("Sec-WebSocket-Key", true, false, true)]
    [InlineData("Sec-WebSocket-Version", true, false, true)]
    [InlineData("Sec-WebSocket-Protocol", true, false, true)]
    [InlineData("Origin", true, true, true)]
    [InlineData("User-Agent", true, true, true)]
    [InlineData("Content-Type", false, true, true)]
    [InlineData("traceparent", false, true, true)]
    [InlineData("Sec-WebSocket-Extensions", false, false, true)]
    [InlineData("Authorization", false, false, true)]
    [InlineData("Cookie", false, false, true)]
    [InlineData("baggage", false, false, true)]
    [InlineData("X-Remote-User", false, false, false)]
    [InlineData("Forwarded", false, false, false)]
    [InlineData("X-Forwarded-For", false, false, false)]
    [InlineData("Sec_WebSocket_Key", false, false, false)]
    public void Only_what_is_named_passes(string name, bool onUpgrades, bool onHttp, bool isOfClients)
    {
        Keeps(name, isUpgrade: true, [], isTrustedProxy: false).ShouldBe(onUpgrades);
        Keeps(name, isUpgrade: false, [], isTrustedProxy: false).ShouldBe(onHttp);
        ClientHeaders.IsOfClients(name).ShouldBe(isOfClients);
    }

    [Theory]
    [InlineData("X-Forwarded-For", true)]
    [InlineData("x-forwarded-proto", true)]
    [InlineData("X-Forwarded-Host", true)]
    [InlineData("X-Forwarded-Port", true)]
    [InlineData("X-Forwarded-Prefix", true)]
    [InlineData("X-Forwarded-User", false)]
    [InlineData("Forwarded", false)]
    [InlineData("X-Real-IP", false)]
    public void Of_a_trusted_proxy_a_few_more_pass(string name, bool passes)
    {
        Keeps(name, isUpgrade: true, [], isTrustedProxy: true).ShouldBe(passes);
        Keeps(name, isUpgrade: false, [], isTrustedProxy: true).ShouldBe(passes);
        Keeps(name, isUpgrade: true, [], isTrustedProxy: false).ShouldBeFalse();
    }

    [Fact]
    public void Configured_headers_pass_from_every_client()
    {
        foreach (bool isUpgrade in (bool[])[true, false])
        {
            Keeps("x-token", isUpgrade, ["X-Other", "X-Token"], isTrustedProxy: false).ShouldBeTrue();
            Keeps("X-Tokens", isUpgrade, ["X-Other", "X-Token"], isTrustedProxy: false).ShouldBeFalse();
        }
    }

    [Fact]
    public void All_others_are_taken_out_at_once()
    {
        var headers = new HeaderDictionary { ["A"] = "1", ["Host"] = "h", ["B"] = "2", ["Origin"] = "o", ["C"] = "3" };

        ClientHeaders.KeepForUpgrade(headers, [], isTrustedProxy: false);

        headers.Keys.Order().ShouldBe(["Host", "Origin"]);
    }

    // Each of these lets a stranger be anybody, where a backend takes it for its own proxy's word.
    [Fact]
    public void Names_of_headers_that_say_who_somebody_is_are_in_no_list()
    {
        string[] names = ["Remote-User", "X-Forwarded-User", "X-Auth-Request-Email", "X-Webauth-User", "Tailscale-User-Login", "X-Client-Cert", "X-Real-IP", "True-Client-IP", "Via"];

        foreach (string name in names)
        {
            Keeps(name, isUpgrade: true, [], isTrustedProxy: true).ShouldBeFalse(name);
            Keeps(name, isUpgrade: false, [], isTrustedProxy: true).ShouldBeFalse(name);
            ClientHeaders.IsOfClients(name).ShouldBeFalse(name);
        }
    }

    private static bool Keeps(string name, bool isUpgrade, ImmutableArray<string> listed, bool isTrustedProxy)
    {
        var headers = new HeaderDictionary { [name] = "1" };
        if (isUpgrade)
            ClientHeaders.KeepForUpgrade(headers, listed, isTrustedProxy);
        else
            ClientHeaders.KeepForHttp(headers, listed, isTrustedProxy);
        return headers.ContainsKey(name);
    }

    // Names of the standards that pass on plain HTTP, of which none says who somebody is.
    [Theory]
    [InlineData("RFC 9110, connections", "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Expect", "Date")]
    [InlineData("RFC 9110, who asks for what", "Host", "Origin", "Referer", "User-Agent", "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Range", "If-Range")]
    [InlineData("RFC 9110, conditions", "If-Match", "If-Modified-Since", "If-None-Match", "If-Unmodified-Since")]
    [InlineData("RFC 9110 and 9530, content", "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Location", "Content-Range", "Content-Type")]
    [InlineData("RFC 9111, 7240, 9218", "Cache-Control", "Pragma", "Prefer", "Priority")]
    [InlineData("Fetch and HTML", "Access-Control-Request-Headers", "Access-Control-Request-Method", "Access-Control-Request-Private-Network", "Last-Event-ID", "X-Requested-With", "Upgrade-Insecure-Requests")]
    [InlineData("fetch metadata", "DNT", "Sec-GPC", "Sec-Purpose", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-Storage-Access", "Sec-Fetch-User")]
    [InlineData("service workers", "Save-Data", "Service-Worker", "Service-Worker-Navigation-Preload")]
    [InlineData("client hints", "Sec-CH-UA", "Sec-CH-UA-Arch", "Sec-CH-UA-Bitness", "Sec-CH-UA-Full-Version-List", "Sec-CH-UA-Mobile", "Sec-CH-UA-Model", "Sec-CH-UA-Platform", "Sec-CH-UA-Platform-Version", "Sec-CH-Prefers-Color-Scheme", "Sec-CH-Prefers-Reduced-Motion")]
    [InlineData("protocols of agents", "Mcp-Session-Id", "mcp-protocol-version", "Mcp-Method", "Mcp-Name", "Mcp-Param-Region", "A2A-Version", "A2A-Extensions", "Acp-Connection-Id", "Acp-Session-Id")]
    [InlineData("traces and gRPC", "traceparent", "tracestate", "grpc-accept-encoding", "grpc-encoding", "grpc-timeout")]
    public void What_HTTP_itself_needs_passes(string whose, params string[] names)
    {
        foreach (string name in names)
        {
            Keeps(name, isUpgrade: false, [], isTrustedProxy: false).ShouldBeTrue($"{whose}: {name}");
            ClientHeaders.IsOfClients(name).ShouldBeTrue($"{whose}: {name}");
        }
    }
}
