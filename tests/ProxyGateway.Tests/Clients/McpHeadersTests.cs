using ProxyGateway.Connecting.Mcp;

namespace ProxyGateway.Tests.Clients;

/// <summary>Parts of a message in headers (MCP 2026-07-28, "Value Encoding").</summary>
public sealed class McpHeadersTests
{
    [Theory]
    [InlineData("us-west1", "us-west1")]
    [InlineData("two words", "two words")]
    [InlineData("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?=")]
    [InlineData(" padded ", "=?base64?IHBhZGRlZCA=?=")]
    [InlineData("line1\nline2", "=?base64?bGluZTEKbGluZTI=?=")]
    [InlineData("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=")]
    [InlineData("a,b", "=?base64?YSxi?=")]
    [InlineData("", "=?base64??=")]
    public void A_value_is_encoded_where_a_proxy_or_a_server_could_read_it_otherwise(string text, string expected) => McpHeaders.Encode(text).ShouldBe(expected);
}
