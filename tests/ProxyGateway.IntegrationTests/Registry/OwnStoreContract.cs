using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>The contract for the stores of this project: a registry moves between SQLite and any of them.</summary>
public abstract partial class OwnStoreContract : DeviceStoreContract
{
    private readonly DirectoryInfo _others = Directory.CreateTempSubdirectory("proxygateway-copy-");

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        _others.Delete(recursive: true);
    }

    protected override Task<ICopyableDeviceStore> OpenOtherAsync(TimeProvider time) =>
        Task.FromResult<ICopyableDeviceStore>(SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path.Combine(_others.FullName, Path.GetRandomFileName()) }, time));
}
