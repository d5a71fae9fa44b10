using System.Diagnostics;
using System.Runtime.Versioning;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Admin;

[SupportedOSPlatform("linux")]
public sealed class AdminKeyFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("key-");

    private string KeyFile => Path.Combine(_folder.FullName, "data", "admin.key");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_key_is_made_that_only_its_owner_can_read()
    {
        AdminKeyRing keys = AdminKeyRing.Load(new AdminOptions(), _folder.FullName);

        keys.CreatedFile.ShouldBe(KeyFile);
        Mode(KeyFile).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Mode(Path.GetDirectoryName(KeyFile)!).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string key = File.ReadAllText(KeyFile);
        key.Length.ShouldBe(43); // 32 bytes as base64url
        AdminKeyOptions found = keys.Find(key).ShouldNotBeNull().Options;
        (found.Name, found.Role, found.UpTo).ShouldBe((AdminKeyRing.GeneratedName, AdminRole.Approver, null));
        Directory.GetFiles(Path.GetDirectoryName(KeyFile)!).ShouldBe([KeyFile]);
    }

    [Fact]
    public void A_second_start_reads_the_same_key()
    {
        AdminKeyRing.Load(new AdminOptions(), _folder.FullName);
        string key = File.ReadAllText(KeyFile);

        AdminKeyRing again = AdminKeyRing.Load(new AdminOptions(), _folder.FullName);

        again.CreatedFile.ShouldBeNull();
        again.Find(key).ShouldNotBeNull();
        AdminKeyRing.ReadKeyFile(KeyFile).ShouldBe(key);
    }

    [Fact]
    public async Task Concurrent_starts_agree_on_one_key()
    {
        for (int round = 0; round < 50; round++)
        {
            string root = Path.Combine(_folder.FullName, $"{round}");

            AdminKeyRing[] rings = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => AdminKeyRing.Load(new AdminOptions(), root))));

            string key = File.ReadAllText(Path.Combine(root, "data", "admin.key"));
            rings.ShouldAllBe(ring => ring.Find(key) != null);
            rings.Count(ring => ring.CreatedFile is not null).ShouldBe(1);
        }
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.OtherWrite)]
    public void A_key_file_that_others_may_touch_is_refused(UnixFileMode others)
    {
        AdminKeyRing.Load(new AdminOptions(), _folder.FullName);
        File.SetUnixFileMode(KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | others);

        Should.Throw<InvalidDataException>(() => AdminKeyRing.Load(new AdminOptions(), _folder.FullName)).Message.ShouldContain("chmod 600");
    }

    [RootTheory]
    [InlineData("data/admin.key", "belongs to user")]
    [InlineData("data", "The folder")]
    public void A_key_file_of_another_user_is_refused(string whose, string why)
    {
        AdminKeyRing.Load(new AdminOptions(), _folder.FullName);
        OtherUser.Give(Path.Combine(_folder.FullName, whose));

        Should.Throw<InvalidDataException>(() => AdminKeyRing.Load(new AdminOptions(), _folder.FullName)).Message.ShouldContain(why);
    }

    [Theory]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.OtherWrite)]
    public void A_key_file_that_others_can_replace_is_refused(UnixFileMode others)
    {
        AdminKeyRing.Load(new AdminOptions(), _folder.FullName);
        string data = Path.GetDirectoryName(KeyFile)!;
        File.SetUnixFileMode(data, Mode(data) | others);

        Should.Throw<InvalidDataException>(() => AdminKeyRing.Load(new AdminOptions(), _folder.FullName)).Message.ShouldContain($"chmod go-w {data}");

        File.SetUnixFileMode(data, Mode(data) | UnixFileMode.StickyBit);
        AdminKeyRing.Load(new AdminOptions(), _folder.FullName).CreatedFile.ShouldBeNull();
    }

    [Fact]
    public void A_pipe_in_place_of_a_key_file_does_not_block()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(KeyFile)!);
        using (Process make = Process.Start("mkfifo", ["-m", "600", KeyFile]))
            make.WaitForExit();

        Should.Throw<InvalidDataException>(() => AdminKeyRing.ReadKeyFile(KeyFile)).Message.ShouldContain("no regular file");
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("short")]
    [InlineData("two-words-that-are-long-enough-to-be-one key")]
    public void A_key_file_that_holds_no_key_is_refused(string content)
    {
        AdminKeyRing.Load(new AdminOptions(), _folder.FullName);
        File.WriteAllText(KeyFile, content);

        Should.Throw<InvalidDataException>(() => AdminKeyRing.Load(new AdminOptions(), _folder.FullName)).Message.ShouldContain(KeyFile);
    }

    [Fact]
    public void With_configured_keys_the_key_file_is_not_used()
    {
        AdminKeyRing.Load(new AdminOptions(), _folder.FullName);
        string key = File.ReadAllText(KeyFile);
        var options = new AdminOptions { Keys = [new AdminKeyOptions { Name = "ops", Sha256 = [.. new byte[32]], Role = AdminRole.Viewer }] };

        AdminKeyRing.Load(options, _folder.FullName).Find(key).ShouldBeNull();
    }

    private static UnixFileMode Mode(string path) => File.GetUnixFileMode(path);
}
