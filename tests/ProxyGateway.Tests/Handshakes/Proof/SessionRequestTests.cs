using System.Text;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Handshakes.Proof;

public sealed class SessionRequestTests
{
    [Fact]
    public void A_request_names_a_route_or_an_audience()
    {
        Read("""{"route":"mcp"}""").ShouldBe(new SessionRequest("mcp", Audience.Default));
        Read("""{ "audience" : "mail" }""").ShouldBe(new SessionRequest(Route: null, Audience.Parse("mail")));
        Read("""{"audience":"default"}""").ShouldBe(new SessionRequest(Route: null, Audience.Default));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"mcp\"")]
    [InlineData("""{"route":null}""")]
    [InlineData("""{"route":1}""")]
    [InlineData("""{"route":["mcp"]}""")]
    [InlineData("""{"Route":"mcp"}""")]
    [InlineData("""{"route":"mcp","audience":"mail"}""")]
    [InlineData("""{"route":"mcp","scopes":"a"}""")]
    [InlineData("""{"route":"mcp","route":"mcp"}""")]
    [InlineData("""{"route":"mcp","\u0072oute":"mcp"}""")]
    [InlineData("""{"route":"mcp"}{}""")]
    [InlineData("""{"route":"mcp",}""")]
    [InlineData("""{"route":"\ud800"}""")]
    [InlineData("""{"audience":"MAIL"}""")]
    [InlineData("""{"audience":""}""")]
    [InlineData("""{"audience":"a/b"}""")]
    [InlineData("""route=mcp""")]
    public void Anything_else_is_none(string body) => Read(body).ShouldBeNull();

    [Fact]
    public void A_request_has_at_most_1024_bytes_of_UTF_8()
    {
        string filled = $$"""{"route":"{{new string('a', 1024 - 12)}}"}""";
        Read(filled).ShouldNotBeNull();
        Read(filled + " ").ShouldBeNull();
        SessionRequest.TryRead((byte[])[.. """{"route":"""u8, (byte)'"', 0xff, .. "\"}"u8], out _).ShouldBeFalse();
    }

    private static SessionRequest? Read(string body)
    {
        SessionRequest.TryRead(Encoding.UTF8.GetBytes(body), out SessionRequest? request).ShouldBe(request is not null);
        return request;
    }
}
