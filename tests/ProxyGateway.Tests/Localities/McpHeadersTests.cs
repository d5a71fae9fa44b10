using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyGateway.DeviceAuth.Localities;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.Tests.Localities;

public sealed class McpHeadersTests
{
    [Theory]
    [InlineData("Mcp-Name", "read_file", false)]
    [InlineData("Mcp-Name", "=?base64?YSxi?=", false)]
    [InlineData("Mcp-Name", "file:///open,/../secret", true)]
    [InlineData("Mcp-Name", "\"read_file\"", true)]
    [InlineData("Mcp-Name", "read_file|delete_file", true)]
    [InlineData("mcp-method", "tools/list", false)]
    [InlineData("Mcp-Method", "tools/list,tools/call", true)]
    [InlineData("MCP-Protocol-Version", "2026-07-28", false)]
    [InlineData("MCP-Protocol-Version", "2026-07-28|2025-06-18", true)]
    [InlineData("Accept", "text/html, text/plain", false)]
    public void A_header_that_the_route_matches_is_read_in_one_way(string name, string lines, bool isAmbiguous)
    {
        var headers = new HeaderDictionary { [name] = new StringValues(lines.Split('|')) };

        McpHeaders.AreAmbiguous([new RouteHeader { Name = name.ToUpperInvariant(), Values = ["x"] }], headers).ShouldBe(isAmbiguous);
    }

    [Fact]
    public void A_header_that_the_route_does_not_match_may_be_anything()
    {
        var headers = new HeaderDictionary { ["Mcp-Name"] = "a,b" };

        McpHeaders.AreAmbiguous(null, headers).ShouldBeFalse();
        McpHeaders.AreAmbiguous([], headers).ShouldBeFalse();
        McpHeaders.AreAmbiguous([new RouteHeader { Name = "Mcp-Method", Values = ["tools/call"] }], headers).ShouldBeFalse();
    }
}
