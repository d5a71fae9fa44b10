using Microsoft.Data.Sqlite;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sqlite;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry.Auditing;

public sealed class SqliteAuditStoreTests(ITestOutputHelper output) : AuditStoreContract(output)
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxygateway-audit-");
    private SqliteDeviceStore _store = null!;

    private string Path => System.IO.Path.Combine(_folder.FullName, "registry.db");

    public override async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_reopened_file_has_everything_and_trims_to_what_is_to_be_kept_now()
    {
        await AppendAsync([.. Enumerable.Range(0, 150).Select(i => Entry(AuditKinds.DeviceRefused, $"{i}"))]);
        await _store.DisposeAsync();
        IAuditStore reopened = await OpenAsync(kept: 10);

        (await reopened.ListAsync(new AuditFilter(), before: null, 200, default)).Items.Count.ShouldBe(150);
        await reopened.AppendAsync(new AuditBatch("another", 1, [Entry(AuditKinds.DeviceRefused, "150")]), default);

        IReadOnlyList<AuditEntry> kept = (await reopened.ListAsync(new AuditFilter(), before: null, 200, default)).Items;
        kept.Select(e => e.Reason).ShouldBe(Enumerable.Range(141, 10).Reverse().Select(i => $"{i}"));
    }

    [Fact]
    public async Task A_file_of_the_first_version_is_brought_up_to_date_with_what_it_holds()
    {
        await _store.DisposeAsync();
        Execute("DROP TABLE audit; DROP TABLE audit_dropped; ALTER TABLE devices DROP COLUMN seen_at; PRAGMA user_version = 1");
        Execute("INSERT INTO devices (id, version, paired, document) VALUES ('x', 'v', 0, x'00')");

        IAuditStore reopened = await OpenAsync(kept: 10);

        await reopened.AppendAsync(new AuditBatch("w", 1, [Entry(AuditKinds.DeviceRefused)]), default);
        Execute("SELECT count(*) FROM devices WHERE seen_at IS NULL").ShouldBe(1L);
    }

    [Fact]
    public async Task A_closed_or_failed_file_is_unavailability()
    {
        Execute("DROP TABLE audit");
        await Should.ThrowAsync<RegistryUnavailableException>(() => AppendAsync(Entry(AuditKinds.DeviceRefused)));
        await Should.ThrowAsync<RegistryUnavailableException>(async () => await Store.ListAsync(new AuditFilter(), before: null, 1, default));
        await _store.DisposeAsync();
        await Should.ThrowAsync<RegistryUnavailableException>(() => AppendAsync(Entry(AuditKinds.DeviceRefused)));
    }

    protected override Task<IAuditStore> OpenAsync(int kept)
    {
        _store = SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path, AuditEntries = kept }, TimeProvider.System);
        return Task.FromResult<IAuditStore>(_store);
    }

    protected override Task<IAuditStore> OpenAnotherAsync(int kept) => Task.FromResult(Store); // a file serves one gateway

    private object? Execute(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
