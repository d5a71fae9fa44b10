using System.Runtime.Versioning;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>Commands that need no gateway, or find none.</summary>
[SupportedOSPlatform("linux")]
public sealed class UsageTests : IDisposable
{
    private readonly ProgramUnderTest _program = new();

    public void Dispose() => _program.Delete();

    [Theory]
    [InlineData("reqests", "list")]
    [InlineData("requests", "lst")]
    [InlineData("requests")]
    [InlineData("requests", "approve")]
    [InlineData("devices", "list", "--josn")]
    [InlineData("registry")]
    [InlineData("registry", "copy", "--from", "sqlite")]
    [InlineData("connect")]
    [InlineData("connect", "http://127.0.0.1:1")]
    [InlineData("connect", "ws://127.0.0.1:1", "--scopes", "a b")]
    [InlineData("connect", "ws://127.0.0.1:1", "--role", "a|b")]
    [InlineData("devices", "list", "--admin-url", "nonsense")]
    [InlineData("devices", "list", "--admin-url", "http://gateway.example:9090")]
    [InlineData("--Urls")]
    [InlineData("serve", "now")]
    public async Task An_invalid_command_line_exits_with_2(params string[] arguments) => (await _program.RunAsync(arguments)).ShouldFail(2);

    [Fact]
    public async Task Help_names_the_commands_and_the_exit_codes()
    {
        string help = (await _program.RunAsync("--help")).ShouldSucceed().Output;

        foreach (string word in new[] { "requests", "devices", "registry", "connect", "serve", "Exit codes" })
            help.ShouldContain(word);
    }

    [Fact]
    public async Task An_unreachable_gateway_exits_with_3()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_program.KeyFile)!);
        File.WriteAllText(_program.KeyFile, new string('x', 43));
        File.SetUnixFileMode(_program.KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);

        (await _program.RunAsync("devices", "list", "--admin-url", "http://127.0.0.1:1")).ShouldFail(3).ShouldContain("--admin-url");
        (await _program.RunAsync("connect", "ws://127.0.0.1:1")).ShouldFail(3);
    }

    [Fact]
    public async Task All_configuration_errors_are_reported_at_once()
    {
        _program.Configure("http://127.0.0.1:1");

        Ended ended = await _program.RunAsync(
            "Urls=nonsense", "DeviceAuth:Handshak=x", "Registry:Provider=Paper", "Admin:Url=http://gateway.example:9090", "ReverseProxy:Routes:agent:ClusterId=other");

        ended.ExitCode.ShouldBe(1);
        ended.Output.ShouldBeEmpty();
        foreach (string key in new[] { "Urls", "DeviceAuth:Handshak", "Registry:Provider", "Admin:Url", "ReverseProxy:Routes:agent:ClusterId" })
            ended.Error.ShouldContain($"  {key}: ");
        ended.Error.ShouldNotContain("   at ");
        Directory.Exists(Path.Combine(_program.Folder, "data")).ShouldBeFalse();
    }

    [Fact]
    public async Task Without_configuration_the_error_names_appsettings_json() =>
        (await _program.RunAsync()).Error.ShouldContain("appsettings.json");

    [Fact]
    public async Task A_key_file_that_others_can_read_ends_the_start()
    {
        _program.Configure("http://127.0.0.1:1");
        Directory.CreateDirectory(Path.GetDirectoryName(_program.KeyFile)!);
        File.WriteAllText(_program.KeyFile, new string('x', 43));
        File.SetUnixFileMode(_program.KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);

        (await _program.RunAsync()).ShouldFail(1).ShouldContain("chmod 600");
    }

    [Fact]
    public async Task A_device_keeps_its_identity_where_only_its_owner_can_read_it()
    {
        await using RunningProgram agent = _program.StartServer("SampleAgent.dll", "--urls", "http://127.0.0.1:0");
        string url = (await agent.PrintsAsync("listens on")).Replace("http", "ws");

        string first = (await _program.RunAsync("connect", url, "--json")).ShouldSucceed().Json.GetProperty("deviceId").GetString()!;
        string again = (await _program.RunAsync("connect", url, "--json")).ShouldSucceed().Json.GetProperty("deviceId").GetString()!;
        string other = (await _program.RunAsync("connect", url, "--json", "--identity", "other.json")).ShouldSucceed().Json.GetProperty("deviceId").GetString()!;

        again.ShouldBe(first);
        other.ShouldNotBe(first);
        string file = Path.Combine(_program.Folder, "config", "proxygateway", "identity.json");
        File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);

        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        (await _program.RunAsync("connect", url)).ShouldFail(1).ShouldContain("chmod 600");
    }
}
