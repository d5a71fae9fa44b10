using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.Tests.Localities;

/// <summary>Which pages may open a WebSocket to the gateway: those that are listed, and its own on loopback.</summary>
public sealed class OriginCheckTests
{
    [Theory]
    [InlineData("http", "localhost:18789", null, true)]
    [InlineData("http", "localhost:18789", "http://localhost:18789", true)]
    [InlineData("http", "localhost:18789", "HTTP://LocalHost:18789", true)]
    [InlineData("https", "127.0.0.1", "https://127.0.0.1", true)]
    [InlineData("http", "localhost:18789", "https://localhost:18789", false)]
    [InlineData("http", "localhost:18789", "http://localhost:18790", false)]
    [InlineData("http", "localhost:18789", "http://127.0.0.1:18789", false)]
    [InlineData("http", "localhost:18789", "null", false)]
    [InlineData("http", "localhost:18789", "", false)]
    [InlineData("http", "gateway.example", "http://gateway.example", false)] // a name that was rebound to this machine
    [InlineData("https", "gateway.example", "https://page.example", true)]
    [InlineData("https", "gateway.example", "HTTPS://Page.Example", true)]
    [InlineData("https", "gateway.example", "http://page.example", false)]
    [InlineData("https", "gateway.example", "https://page.example.evil", false)]
    [InlineData("https", "gateway.example", "https://page.example|https://page.example", false)]
    public void A_page_may_connect_if_its_origin_is_listed_or_the_gateways_own(string scheme, string host, string? origins, bool expected)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        (request.Scheme, request.Host) = (scheme, new HostString(host));
        if (origins is not null)
            request.Headers.Origin = origins.Split('|');

        OriginCheck.Allows(request, ["https://other.example", "https://page.example"]).ShouldBe(expected);
    }

    // An image, a script or a link carries no Origin.
    [Theory]
    [InlineData(null, true, false)]
    [InlineData("none", true, true)]
    [InlineData("same-origin", true, true)]
    [InlineData("same-site", false, true)]
    [InlineData("cross-site", false, true)]
    [InlineData("", false, true)]
    [InlineData("none|none", false, true)]
    public void Without_an_origin_a_browser_says_for_whose_page_it_asks(string? site, bool isAllowed, bool isBrowser)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        (request.Scheme, request.Host) = ("http", new HostString("localhost:18789"));
        if (site is not null)
            request.Headers["Sec-Fetch-Site"] = site.Split('|');

        (OriginCheck.Allows(request, []), OriginCheck.IsOfBrowser(request)).ShouldBe((isAllowed, isBrowser));
    }
}
