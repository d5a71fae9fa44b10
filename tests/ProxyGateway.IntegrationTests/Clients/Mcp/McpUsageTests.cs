using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using ProxyGateway.IntegrationTests.CommandLine;

namespace ProxyGateway.IntegrationTests.Clients.Mcp;

/// <summary>The command line of <c>mcp</c>, and what it prints for hosts.</summary>
[SupportedOSPlatform("linux")]
public sealed class McpUsageTests : IDisposable
{
    private readonly ProgramUnderTest _program = new();

    public void Dispose() => _program.Delete();

    [Theory]
    [InlineData("mcp")]
    [InlineData("mcp", "gate.example/mcp")]
    [InlineData("mcp", "http://gate.example/mcp")]
    [InlineData("mcp", "wss://gate.example/mcp")]
    [InlineData("mcp", "https://user@gate.example/mcp")]
    [InlineData("mcp", "https://gate.example/mcp", "--role", "a b")]
    [InlineData("mcp", "https://gate.example/mcp", "--print-config", "emacs")]
    public async Task An_invalid_command_line_exits_with_2(params string[] arguments) => (await _program.RunAsync(arguments)).ShouldFail(2);

    [Fact]
    public async Task A_key_file_that_others_can_read_ends_it_before_anything_is_sent()
    {
        string file = Path.Combine(_program.Folder, "device.json");
        File.WriteAllText(file, "{}");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);

        (await _program.RunAsync("mcp", "https://gate.example/mcp", "--identity", "device.json")).ShouldFail(1).ShouldContain("chmod 600");
    }

    [Fact]
    public async Task The_printed_configuration_starts_this_program_with_the_same_words()
    {
        Ended ended = (await _program.RunAsync("mcp", "https://gate.example/tools/mcp", "--identity", "my \"key\".json", "--scopes", "a,b", "--print-config", "claude-desktop")).ShouldSucceed();

        JsonNode server = JsonNode.Parse(ended.Output)!["mcpServers"]!["tools"]!;
        File.Exists((string?)server["command"]).ShouldBeTrue();
        string[] arguments = [.. server["args"]!.AsArray().Select(a => (string)a!)];
        arguments.SkipWhile(a => a != "mcp").ShouldBe(
            ["mcp", "https://gate.example/tools/mcp", "--identity", Path.Combine(_program.Folder, "my \"key\".json"), "--scopes", "a,b"]);
        ended.Error.ShouldContain("claude_desktop_config.json");
        File.Exists(Path.Combine(_program.Folder, "my \"key\".json")).ShouldBeFalse();
    }
}
