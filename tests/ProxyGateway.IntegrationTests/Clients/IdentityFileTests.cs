using System.Runtime.Versioning;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Clients;

/// <summary>The file with a device's key.</summary>
[SupportedOSPlatform("linux")]
public sealed class IdentityFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("identity-");

    private string Path => System.IO.Path.Combine(_folder.FullName, "of", "a", "device.json");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(DeviceAlgorithm.Ed25519)]
    [InlineData(DeviceAlgorithm.ES256)]
    public void It_is_made_once_and_only_its_owner_can_read_it(DeviceAlgorithm algorithm)
    {
        using DeviceIdentity first = DeviceIdentity.LoadOrCreate(Path, algorithm);
        using DeviceIdentity again = DeviceIdentity.LoadOrCreate(Path);

        (again.Id, again.Algorithm).ShouldBe((first.Id, algorithm));
        File.GetUnixFileMode(Path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Directory.GetFiles(System.IO.Path.GetDirectoryName(Path)!).ShouldBe([Path]);
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.OtherWrite)]
    public void One_that_others_can_read_or_write_is_refused(UnixFileMode more)
    {
        DeviceIdentity.LoadOrCreate(Path).Dispose();
        File.SetUnixFileMode(Path, File.GetUnixFileMode(Path) | more);

        Should.Throw<InvalidDataException>(() => DeviceIdentity.LoadOrCreate(Path)).Message.ShouldContain("chmod 600");
    }

    [Theory]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.OtherWrite)]
    public void One_that_others_can_replace_is_refused(UnixFileMode more)
    {
        DeviceIdentity.LoadOrCreate(Path).Dispose();
        string folder = System.IO.Path.GetDirectoryName(Path)!;
        File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | more);

        Should.Throw<InvalidDataException>(() => DeviceIdentity.LoadOrCreate(Path)).Message.ShouldContain("chmod go-w");
    }

    [RootFact]
    public void One_of_another_user_is_refused()
    {
        DeviceIdentity.LoadOrCreate(Path).Dispose();
        OtherUser.Give(Path);

        Should.Throw<InvalidDataException>(() => DeviceIdentity.Load(Path)).Message.ShouldContain($"{OtherUser.Id}");
    }

    [Fact]
    public void What_is_no_identity_stays_and_is_refused()
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        File.WriteAllText(Path, "{}");
        File.SetUnixFileMode(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite);

        Should.Throw<InvalidDataException>(() => DeviceIdentity.LoadOrCreate(Path));
        File.WriteAllBytes(Path, new byte[20_000]);
        Should.Throw<InvalidDataException>(() => DeviceIdentity.LoadOrCreate(Path));
        File.Delete(Path);
        Should.Throw<IOException>(() => DeviceIdentity.Load(Path));
    }

    [Fact]
    public async Task Many_that_start_at_once_are_one_device()
    {
        string[] ids = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() =>
        {
            using DeviceIdentity identity = DeviceIdentity.LoadOrCreate(Path);
            return identity.Id;
        })));

        ids.Distinct().ShouldHaveSingleItem();
    }
}
