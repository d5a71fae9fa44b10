using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry.Interleaving;

/// <summary>One gateway, whose handshakes and operators share one file. It dies between two calls; within one it can only die as a process.</summary>
public sealed class SqliteInterleavingTests(ITestOutputHelper output) : InterleavingContract(output)
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxygateway-sqlite-");
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 22, 10, 0, 0, TimeSpan.Zero));
    private SqliteDeviceStore _store = null!;
    private int _opened;

    internal override bool StepsAreCalls => true;

    internal override Lifetimes ShortLifetimes => Some.Lifetimes with { Removed = TimeSpan.FromMinutes(7) };

    private string Path => System.IO.Path.Combine(_folder.FullName, "registry.db");

    public override Task InitializeAsync()
    {
        _store = Open();
        return Task.CompletedTask;
    }

    public override async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    internal override Task<IDeviceStore[]> OpenAsync(int gateways, Scheduler? scheduler)
    {
        Execute("PRAGMA foreign_keys = ON; DELETE FROM devices");
        return Task.FromResult<IDeviceStore[]>([.. Enumerable.Repeat(_store, gateways)]);
    }

    internal override async Task<IDeviceStore> OpenAfterwardsAsync()
    {
        if (_opened++ % 10 == 0) // what is there is there after a restart too
        {
            await _store.DisposeAsync();
            _store = Open();
        }

        return _store;
    }

    internal override Task<DateTimeOffset> NowAsync() => Task.FromResult(_time.GetUtcNow());

    internal override Task PassAsync()
    {
        _time.Advance(TimeSpan.FromMinutes(4));
        return Task.CompletedTask;
    }

    internal override Task<bool> ExpiresAsync(DeviceId device) =>
        Task.FromResult(Execute($"SELECT expires_at FROM devices WHERE id = '{device}'") is long);

    private SqliteDeviceStore Open() => SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path }, _time);

    private object? Execute(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
