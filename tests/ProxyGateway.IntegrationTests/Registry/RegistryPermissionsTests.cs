using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Admin;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>Who can write to the registry's file decides who gets in.</summary>
[SupportedOSPlatform("linux")]
public sealed class RegistryPermissionsTests : IDisposable
{
    private const UnixFileMode Owners = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("registry-");
    private readonly LogLines _log = new();

    private string Data => Path.Combine(_folder.FullName, "data");

    private string Registry => Path.Combine(Data, "registry.db");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("registry.db")]
    [InlineData("registry.db-wal")]
    [InlineData("registry.db-shm")]
    public async Task Files_that_were_open_to_others_are_closed_to_them_and_the_log_says_so(string name)
    {
        await Open().DisposeAsync();
        string file = Path.Combine(Data, name);
        if (!File.Exists(file))
            await File.WriteAllBytesAsync(file, []);
        File.SetUnixFileMode(file, Owners | UnixFileMode.GroupWrite | UnixFileMode.OtherRead);

        await using SqliteDeviceStore store = Open();

        File.GetUnixFileMode(Registry).ShouldBe(Owners);
        foreach (string each in Directory.GetFiles(Data))
            File.GetUnixFileMode(each).ShouldBe(Owners, each);
        _log.All.ShouldHaveSingleItem().ShouldContain(file);
    }

    [RootTheory]
    [InlineData("registry.db")]
    [InlineData("registry.db-wal")]
    [InlineData(".")]
    public async Task A_registry_of_another_user_is_refused(string name)
    {
        await Open().DisposeAsync();
        string path = Path.GetFullPath(name, Data);
        if (!Path.Exists(path))
            await File.WriteAllBytesAsync(path, []);
        OtherUser.Give(path);

        Should.Throw<RegistryUnavailableException>(Open).Message.ShouldContain($"{path.TrimEnd('/')} belongs to user {OtherUser.Id}");
    }

    [Fact]
    public async Task A_folder_in_which_others_can_replace_the_file_is_refused()
    {
        await Open().DisposeAsync();
        File.SetUnixFileMode(Data, File.GetUnixFileMode(Data) | UnixFileMode.OtherWrite);

        Should.Throw<RegistryUnavailableException>(Open).Message.ShouldContain($"chmod go-w {Data}");
    }

    [Fact]
    public async Task A_link_is_followed_to_the_folder_that_is_checked()
    {
        await Open().DisposeAsync();
        string link = Path.Combine(_folder.FullName, "link.db");
        File.CreateSymbolicLink(link, Registry);
        File.SetUnixFileMode(Data, File.GetUnixFileMode(Data) | UnixFileMode.OtherWrite);

        Should.Throw<RegistryUnavailableException>(() => Open(link)).Message.ShouldContain($"chmod go-w {Data}");
    }

    private SqliteDeviceStore Open() => Open(Registry);

    private SqliteDeviceStore Open(string path) =>
        SqliteDeviceStore.Open(new SqliteStoreOptions { Path = path }, TimeProvider.System, new Logger<SqliteDeviceStore>(new LoggerFactory([_log])));
}
