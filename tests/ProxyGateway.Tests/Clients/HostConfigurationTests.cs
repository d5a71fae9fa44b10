using System.Text.Json.Nodes;
using ProxyGateway.Connecting.Mcp;

namespace ProxyGateway.Tests.Clients;

/// <summary>What <c>proxygateway mcp --print-config</c> prints for each host.</summary>
public sealed class HostConfigurationTests
{
    private static readonly Uri Url = new("https://gate.example/mcp");
    private static readonly string[] Command = ["C:\\Program Files\\\"x\"\\proxygateway", "mcp", "https://gate.example/mcp?a=1&b=2", "tab\there"];

    [Theory]
    [InlineData("claude-code", "mcpServers", "stdio")]
    [InlineData("claude-desktop", "mcpServers", null)]
    [InlineData("cursor", "mcpServers", null)]
    [InlineData("gemini", "mcpServers", null)]
    [InlineData("vscode", "servers", "stdio")]
    public void Most_hosts_take_a_command_and_its_arguments(string host, string member, string? type)
    {
        JsonNode server = JsonNode.Parse(HostConfiguration.Lines(host, Url, Command))![member]!["gate"]!;

        ((string?)server["type"], (string?)server["command"]).ShouldBe((type, Command[0]));
        server["args"]!.AsArray().Select(a => (string?)a).ShouldBe(Command[1..]);
    }

    [Fact]
    public void Opencode_takes_one_list()
    {
        JsonNode server = JsonNode.Parse(HostConfiguration.Lines("opencode", Url, Command))!["mcp"]!["gate"]!;

        ((string?)server["type"], (bool?)server["enabled"]).ShouldBe(("local", true));
        server["command"]!.AsArray().Select(a => (string?)a).ShouldBe(Command);
    }

    [Fact]
    public void Codex_takes_TOML() => HostConfiguration.Lines("codex", Url, Command).ShouldBe(
        """
        [mcp_servers.gate]
        command = "C:\\Program Files\\\"x\"\\proxygateway"
        args = ["mcp", "https://gate.example/mcp?a=1&b=2", "tab\u0009here"]

        """);

    [Theory]
    [InlineData("https://gate.example/mcp", "gate")]
    [InlineData("https://gate.example/tools/mcp", "tools")]
    [InlineData("https://gate.example/to%20ols/", "to-20ols")]
    [InlineData("http://127.0.0.1:8080/", "agent")]
    [InlineData("http://[::1]/mcp", "agent")]
    public void The_name_is_short_and_plain(string url, string name) => HostConfiguration.NameOf(new Uri(url)).ShouldBe(name);

    [Fact]
    public void Each_host_has_a_file() => HostConfiguration.Hosts.ShouldAllBe(host => HostConfiguration.FileOf(host).Length > 0);
}
