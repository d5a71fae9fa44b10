using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>Commands that are run in a folder where somebody has put an <c>appsettings.json</c> that names a server of theirs.</summary>
[SupportedOSPlatform("linux")]
public sealed class PlantedSettingsTests : IDisposable
{
    private const UnixFileMode Owners = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly ProgramUnderTest _program = new();
    private readonly TcpListener _thief = new(IPAddress.Loopback, 0);
    private readonly DirectoryInfo _elsewhere = Directory.CreateTempSubdirectory("elsewhere-");

    public PlantedSettingsTests() => _thief.Start();

    private string Settings => Path.Combine(_program.Folder, "appsettings.json");

    private string Url => $"http://{_thief.LocalEndpoint}";

    public void Dispose()
    {
        _thief.Dispose();
        _elsewhere.Delete(recursive: true);
        _program.Delete();
    }

    [Theory]
    [InlineData("PROXYGATEWAY_ADMIN_KEY=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx \"$@\"")]
    [InlineData("PROXYGATEWAY_KEY_FILE=$PWD/own.key \"$@\"")]
    [InlineData("Admin__KeyFile=$PWD/own.key \"$@\"")]
    [InlineData("\"$@\" --key-file own.key")]
    public async Task The_callers_key_is_not_sent_to_an_address_from_the_folders_file(string shell)
    {
        WriteKey("own.key");
        Plant($$"""{ "Admin": { "Url": "{{Url}}" } }""");

        (await _program.RunInShellAsync(shell, "devices", "list")).ShouldFail(1).ShouldContain(_program.Folder);

        Heard().ShouldBeFalse();
    }

    [Theory]
    [InlineData("PROXYGATEWAY_ADMIN_URL=HERE PROXYGATEWAY_ADMIN_KEY=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx \"$@\"")]
    [InlineData("Admin__Url=HERE PROXYGATEWAY_KEY_FILE=own.key \"$@\"")]
    [InlineData("PROXYGATEWAY_KEY_FILE=own.key \"$@\" --admin-url HERE")]
    [InlineData("\"$@\" --admin-url HERE --key-file own.key")]
    public async Task The_callers_address_and_key_are_used_together_and_the_folders_file_is_ignored(string shell)
    {
        WriteKey("own.key");
        Plant("""{ "Admin": { "Url": "http://127.0.0.1:1", "KeyFile": "/nowhere" } }""");
        OpenToOthers(Settings, UnixFileMode.OtherWrite);
        Task<Socket> asked = _thief.AcceptSocketAsync();
        Task<Ended> command = _program.RunInShellAsync(shell.Replace("HERE", Url), "devices", "list");

        using (Socket connection = await asked.WaitAsync(Eventually.Patience))
            _thief.Stop();

        (await command).ShouldFail(3);
    }

    [Theory]
    [InlineData("appsettings.json", UnixFileMode.GroupWrite)]
    [InlineData("appsettings.json", UnixFileMode.OtherWrite)]
    [InlineData("appsettings.Production.json", UnixFileMode.OtherWrite)]
    [InlineData("", UnixFileMode.OtherWrite)]
    [InlineData("", UnixFileMode.GroupWrite)]
    public async Task A_file_that_others_can_write_or_replace_is_refused(string name, UnixFileMode others)
    {
        WriteKey("data/admin.key");
        Plant($$"""{ "Admin": { "Url": "{{Url}}" } }""", name.Length > 0 ? name : "appsettings.json");
        string open = Path.Combine(_program.Folder, name).TrimEnd('/');
        OpenToOthers(open, others);

        (await _program.RunAsync("devices", "list")).ShouldFail(1).ShouldContain($"chmod go-w {open}");

        Heard().ShouldBeFalse();
    }

    [RootTheory]
    [InlineData("appsettings.json")]
    [InlineData("")]
    public async Task A_file_of_another_user_is_refused(string name)
    {
        WriteKey("data/admin.key");
        Plant($$"""{ "Admin": { "Url": "{{Url}}" } }""");
        OtherUser.Give(Path.Combine(_program.Folder, name));

        (await _program.RunAsync("devices", "list")).ShouldFail(1).ShouldContain($"belongs to user {OtherUser.Id}");

        Heard().ShouldBeFalse();
    }

    [RootFact]
    public async Task A_folder_that_the_caller_may_not_read_is_refused()
    {
        string shell = $"mkdir inner; cd inner; exec setpriv --reuid={OtherUser.Id} --clear-groups \"$@\""; // as with sudo -u, beneath a home of 0700

        (await _program.RunInShellAsync(shell, "devices", "list")).ShouldFail(1).ShouldContain("cannot be looked at");
    }

    [Theory]
    [InlineData("absolute")]
    [InlineData("above")]
    [InlineData("link")]
    [InlineData("linked folder")]
    public async Task A_key_file_outside_the_folder_is_not_used(string way)
    {
        string outside = Path.Combine(_elsewhere.FullName, "admin.key");
        WriteKey(outside);
        string path = way switch
        {
            "absolute" => outside,
            "above" => Path.GetRelativePath(_program.Folder, outside),
            "link" => "admin.key",
            _ => "data/admin.key",
        };
        if (way == "link")
            File.CreateSymbolicLink(Path.Combine(_program.Folder, path), outside);
        if (way == "linked folder")
            Directory.CreateSymbolicLink(Path.Combine(_program.Folder, "data"), _elsewhere.FullName);
        Plant($$"""{ "Admin": { "Url": "{{Url}}", "KeyFile": "{{path}}" } }""");

        (await _program.RunAsync("devices", "list")).ShouldFail(1).ShouldContain("not beneath");
        (await _program.RunAsync("devices", "list", "--admin-url", Url)).ShouldFail(1).ShouldContain("not beneath");

        Heard().ShouldBeFalse();
    }

    [Fact]
    public async Task Without_any_file_a_key_behind_a_link_is_not_used()
    {
        WriteKey(Path.Combine(_elsewhere.FullName, "admin.key"));
        Directory.CreateSymbolicLink(Path.Combine(_program.Folder, "data"), _elsewhere.FullName);

        (await _program.RunAsync("devices", "list")).ShouldFail(1).ShouldContain("not beneath");
    }

    [Fact]
    public async Task A_copy_does_not_use_a_target_from_a_file_that_others_can_write()
    {
        string registry = Path.Combine(_program.Folder, "data", "registry.db");
        Directory.CreateDirectory(Path.GetDirectoryName(registry)!);
        await SqliteDeviceStore.Open(new SqliteStoreOptions { Path = registry }, TimeProvider.System).DisposeAsync(); // or there is nothing to copy anyway
        Plant($$"""{ "Registry": { "Redis": { "Configuration": "{{_thief.LocalEndpoint}}" } } }""");
        OpenToOthers(Settings, UnixFileMode.OtherWrite);

        (await _program.RunAsync("registry", "copy", "--from", "sqlite", "--to", "redis")).ShouldFail(1).ShouldContain($"chmod go-w {Settings}");

        Heard().ShouldBeFalse();
    }

    private bool Heard() => _thief.Pending();

    private void Plant(string json, string name = "appsettings.json") => File.WriteAllText(Path.Combine(_program.Folder, name), json);

    private void WriteKey(string name)
    {
        string path = Path.GetFullPath(name, _program.Folder);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, new string('x', 43));
        File.SetUnixFileMode(path, Owners);
    }

    private static void OpenToOthers(string path, UnixFileMode others) => File.SetUnixFileMode(path, File.GetUnixFileMode(path) | others);
}
