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
    public async Task A_file_of_the_first_version_is_updated_with_all_its_entries()
    {
        await _store.DisposeAsync();
        Execute("DROP TABLE rule_pairings; DROP TABLE audit; DROP TABLE audit_dropped; DROP TABLE audit_kept; ALTER TABLE devices DROP COLUMN seen_at; DROP INDEX requests_subnet; DROP INDEX requests_strangers; ALTER TABLE requests DROP COLUMN subnet; ALTER TABLE requests DROP COLUMN strangers; PRAGMA user_version = 1");
        Execute("INSERT INTO devices (id, version, paired, document) VALUES ('x', 'v', 0, x'00')");

        IAuditStore reopened = await OpenAsync(kept: 10);

        await reopened.AppendAsync(new AuditBatch("w", 1, [Entry(AuditKinds.DeviceRefused)]), default);
        Execute("SELECT count(*) FROM devices WHERE seen_at IS NULL").ShouldBe(1L);
    }

    [Fact]
    public async Task The_audit_of_an_earlier_version_is_counted_and_brought_within_its_bounds()
    {
        await _store.DisposeAsync();
        Execute("DROP TABLE audit_kept; DROP INDEX audit_kind; DROP INDEX audit_device; DROP INDEX audit_operator; DROP TABLE rule_pairings; DROP INDEX devices_by_rules; ALTER TABLE devices DROP COLUMN by_rules; PRAGMA user_version = 4");
        Execute(
            $$"""
            WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < 300)
            INSERT INTO audit (source, kind, entry)
                SELECT 2, 'device-refused', CAST('{"kind":"device-refused","reason":"{{new string('x', 10_000)}}"}' AS BLOB) FROM numbers
            """);

        IAuditStore reopened = await OpenAsync(kept: 100_000, bytes: 1024 * 1024);
        await reopened.AppendAsync(new AuditBatch("w", 1, [Entry(AuditKinds.DeviceRefused, "new")]), default);

        ((long)Execute("SELECT sum(length(entry)) FROM audit")!).ShouldBeInRange(1024 * 1024 * 9 / 10, 1024 * 1024);
        Execute("SELECT entries || ' ' || bytes FROM audit_kept WHERE source = 2").ShouldBe(Execute("SELECT count(*) || ' ' || sum(length(entry)) FROM audit"));
    }

    [Fact]
    public async Task Entries_of_an_earlier_version_are_listed_beside_new_ones()
    {
        Execute("INSERT INTO audit (source, kind, entry) VALUES (1, 'device-auto-approved', CAST('{\"kind\":\"device-auto-approved\",\"reason\":\"before\"}' AS BLOB))");
        await AppendAsync(Entry(AuditKinds.DeviceAdmitted, "came"), Entry(AuditKinds.DeviceAutoApproved, "now"));

        (await ListAllAsync(new AuditFilter(AuditKinds.DeviceAutoApproved), pageSize: 1)).Select(e => e.Reason).ShouldBe(["now", "before"]);
        (await Store.ReadAfterAsync(0, 10, default)).Items.Select(e => e.Reason).ShouldBe(["before", "came", "now"]);
    }

    [Theory]
    [InlineData(AuditKinds.DeviceAdmitted, 3, 700)]
    [InlineData(AuditKinds.DeviceRefused, 64, 1500)]
    public async Task An_entry_takes_little_more_than_its_document(string kind, int scopes, long most)
    {
        const int Count = 5120;
        IAuditStore roomy = await OpenAsync(kept: 100_000);
        long before = (long)Execute("PRAGMA page_count")! * 4096;
        AuditEntry entry = AuditBounds.Cut(TypicalEntry.With(kind, scopes));
        for (int i = 0; i < Count / 256; i++)
            await roomy.AppendAsync(new AuditBatch("size", i + 1, [.. Enumerable.Range(0, 256).Select(_ => entry with { DeviceId = Some.Claim().Device })]), default);

        long perEntry = ((long)Execute("PRAGMA page_count")! * 4096 - before) / Count;
        Output.WriteLine($"An entry of {AuditDocument.Serialize(entry).Length} bytes takes {perEntry} in the file.");
        perEntry.ShouldBeLessThan(most);
    }

    [Theory]
    [InlineData(AuditReader.All, "USING INTEGER PRIMARY KEY")]
    [InlineData(AuditReader.OfKind, "USING INDEX audit_kind")]
    [InlineData(AuditReader.OfDevice, "USING INDEX audit_device")]
    [InlineData(AuditReader.OfOperator, "USING INDEX audit_operator")]
    public void No_filter_scans_the_table_or_sorts(string sql, string how)
    {
        using var connection = new SqliteConnection($"Data Source={Path};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "EXPLAIN QUERY PLAN " + sql;
        command.Parameters.AddWithValue("$before", long.MaxValue);
        command.Parameters.AddWithValue("$of", "x");
        using SqliteDataReader rows = command.ExecuteReader();
        var plan = new List<string>();
        while (rows.Read())
            plan.Add(rows.GetString(3));

        plan.ShouldHaveSingleItem().ShouldStartWith("SEARCH audit " + how);
    }

    [Fact]
    public async Task On_a_nearly_full_disk_the_strangers_history_stops_growing_and_operators_entries_are_written()
    {
        await _store.DisposeAsync();
        const long Total = 8 * 1024 * 1024; // so 1 MiB is for operators, and 16 KiB of it for each history
        var disk = new DiskSpace(Free: Total / 2, Total);
        _store = SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path }, TimeProvider.System, logger: null, () => disk);
        int number = 0;
        async Task<AuditReceipt> AppendAsync(string kind, int count) => await _store.AppendAsync(
            new AuditBatch("w", ++number, [.. Enumerable.Range(0, count).Select(i => Entry(kind, $"{number:D4} {i:D4}"))]), default);
        long Count(AuditSource source) => (long)Execute($"SELECT count(*) FROM audit WHERE source = {(int)source}")!;
        (await AppendAsync(AuditKinds.DeviceRefused, 1000)).ShouldBe(default);
        (await AppendAsync(AuditKinds.DeviceAdmitted, 1000)).ShouldBe(default);

        disk = disk with { Free = disk.Reserved - 1 };
        (await AppendAsync(AuditKinds.DeviceRefused, 100)).ShouldBe(new AuditReceipt(LeftOut: 0, "0 of 8 MiB are free on its disk"));
        (await AppendAsync(AuditKinds.DeviceAdmitted, 100)).LeftOut.ShouldBe(0);
        (await AppendAsync(AuditKinds.RequestApproved, 100)).LeftOut.ShouldBe(0);
        (Count(AuditSource.Strangers), Count(AuditSource.Devices), Count(AuditSource.Operators)).ShouldBe((900, 1100, 100), "what strangers add takes twice as much away");
        for (int i = 0; i < 20; i++)
            (await AppendAsync(AuditKinds.DeviceRefused, 100)).LeftOut.ShouldBe(0);
        ((long)Execute("SELECT sum(length(entry)) FROM audit WHERE source = 2")!).ShouldBeInRange(disk.Reserved * 9 / 10 / 64, disk.Reserved / 64);

        disk = disk with { Free = (disk.Reserved / 4) - 1 };
        (await AppendAsync(AuditKinds.DeviceAdmitted, 100)).LeftOut.ShouldBe(0);
        Count(AuditSource.Devices).ShouldBe(1000);
        (await AppendAsync(AuditKinds.DeviceAdmitted, 1001)).LeftOut.ShouldBe(1001, "there is not as much that could make room");
        (await AppendAsync(AuditKinds.RequestApproved, 100)).LeftOut.ShouldBe(0);
        Count(AuditSource.Operators).ShouldBe(200);
    }

    [Fact]
    public async Task A_closed_or_failed_file_is_an_unavailable_registry()
    {
        Execute("DROP TABLE audit");
        await Should.ThrowAsync<RegistryUnavailableException>(() => AppendAsync(Entry(AuditKinds.DeviceRefused)));
        await Should.ThrowAsync<RegistryUnavailableException>(async () => await Store.ListAsync(new AuditFilter(), before: null, 1, default));
        await _store.DisposeAsync();
        await Should.ThrowAsync<RegistryUnavailableException>(() => AppendAsync(Entry(AuditKinds.DeviceRefused)));
    }

    protected override int? MostReadForPage => AuditReader.MostRead;

    protected override async Task<IAuditStore> OpenAsync(int kept, int bytes = 64 * 1024 * 1024)
    {
        if (_store is not null)
            await _store.DisposeAsync(); // a file serves one gateway
        _store = SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path, AuditEntries = kept, AuditBytes = bytes }, TimeProvider.System);
        return _store;
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
