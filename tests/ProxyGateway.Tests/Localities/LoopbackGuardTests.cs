using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.Tests.Localities;

/// <summary>What keeps pages out of a listener on loopback.</summary>
public sealed class LoopbackGuardTests
{
    [Theory]
    [InlineData("localhost:8080", true)]
    [InlineData("127.0.0.1", true)]
    [InlineData("evil.example", false)]
    public void A_page_whose_own_name_leads_here_sends_that_name(string host, bool namesLoopback)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        request.Host = new HostString(host);

        LoopbackGuard.NamesLoopback(request).ShouldBe(namesLoopback);
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("http://localhost:8080", false)]
    [InlineData("https://evil.example", true)]
    public void A_page_of_another_origin_is_told_by_its_origin(string? origin, bool isForeign)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        request.Scheme = "http";
        request.Host = new HostString("localhost:8080");
        if (origin is not null)
            request.Headers.Origin = origin;

        LoopbackGuard.IsOfForeignPage(request).ShouldBe(isForeign);
    }
}
