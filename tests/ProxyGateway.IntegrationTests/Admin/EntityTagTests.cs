using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyGateway.DeviceAuth.Admin;

namespace ProxyGateway.IntegrationTests.Admin;

public sealed class EntityTagTests
{
    [Theory]
    [InlineData(null, true, true, true)]
    [InlineData("*", true, true, false)]
    [InlineData(" * ", true, true, false)]
    [InlineData("\"v1\"", true, false, false)]
    [InlineData("\"v2\"", false, true, false)]
    [InlineData("\"v3\"", false, false, false)]
    [InlineData("\"V1\"", false, false, false)]
    [InlineData("\"\"", false, false, false)]
    [InlineData("W/\"v1\"", false, false, false)]
    public void If_Match_holds_for_the_version_that_it_names(string? header, bool first, bool second, bool none)
    {
        EntityTags.TryReadIfMatch(Request(header), out IfMatch ifMatch).ShouldBeTrue();

        (ifMatch.Holds("v1"), ifMatch.Holds("v2"), ifMatch.Holds(null)).ShouldBe((first, second, none));
    }

    [Theory]
    [InlineData("")]
    [InlineData("v1")]
    [InlineData("\"")]
    [InlineData("\"v1")]
    [InlineData("v1\"")]
    [InlineData("w/\"v1\"")]
    [InlineData("W/v1")]
    [InlineData("W/*")]
    [InlineData("\"v1\", \"v2\"")]
    [InlineData("\"v1\",")]
    [InlineData("*, \"v1\"")]
    [InlineData("**")]
    public void An_invalid_If_Match_is_refused(string header) =>
        EntityTags.TryReadIfMatch(Request(header), out _).ShouldBeFalse();

    [Fact]
    public void Two_If_Match_headers_are_refused() =>
        EntityTags.TryReadIfMatch(Request(new StringValues(["\"v1\"", "\"v1\""])), out _).ShouldBeFalse();

    [Fact]
    public void A_written_entity_tag_can_be_read()
    {
        HttpContext context = new DefaultHttpContext();
        EntityTags.Write(context.Response, "v1");
        context.Response.Headers.ETag.ToString().ShouldBe("\"v1\"");
        EntityTags.TryReadIfMatch(Request(context.Response.Headers.ETag), out IfMatch ifMatch).ShouldBeTrue();
        ifMatch.Holds("v1").ShouldBeTrue();
    }

    private static HttpRequest Request(StringValues ifMatch)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        if (ifMatch.Count > 0)
            request.Headers["If-Match"] = ifMatch;
        return request;
    }
}
