using System.Diagnostics;
using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;

namespace ProxyGateway.IntegrationTests.Registry;

public sealed class SqliteDeviceStoreTests : OwnStoreContract
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxygateway-sqlite-");
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 22, 10, 0, 0, TimeSpan.Zero));

    private string Path => System.IO.Path.Combine(_folder.FullName, "data", "registry.db");

    protected override bool CopiesAllOrNothing => true;

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_second_open_is_refused_and_the_file_is_named()
    {
        Should.Throw<RegistryUnavailableException>(Reopen).Message.ShouldContain($"{Path} is in use");

        await Store.DisposeAsync();
        await Reopen().DisposeAsync();
    }

    [Fact]
    public async Task The_file_is_locked_against_other_processes()
    {
        if (OperatingSystem.IsWindows())
            return;
        using Process other = Process.Start("flock", ["--nonblock", $"{Path}.lock", "true"]);
        await other.WaitForExitAsync();

        other.ExitCode.ShouldBe(1, "flock(1) says so if somebody else holds the lock");
    }

    [Fact]
    public async Task A_file_that_another_process_holds_is_refused()
    {
        if (OperatingSystem.IsWindows())
            return;
        await Store.DisposeAsync();
        using Process other = Process.Start(new ProcessStartInfo("flock", [$"{Path}.lock", "cat"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        await other.StandardInput.WriteLineAsync("locked");
        await other.StandardInput.FlushAsync();
        await other.StandardOutput.ReadLineAsync(); // cat runs, so the lock is held

        Should.Throw<RegistryUnavailableException>(Reopen).Message.ShouldContain($"{Path} is in use");

        other.StandardInput.Close();
        await other.WaitForExitAsync();
        await Reopen().DisposeAsync();
    }

    [Fact]
    public async Task A_reopened_file_has_everything()
    {
        DeviceClaim paired = Some.Claim("operator", "operator.read");
        await PairAsync(paired);
        PairingRequest open = await AskAsync(paired.Asking("node"), Some.Rules);

        await Store.DisposeAsync();
        await using SqliteDeviceStore reopened = Reopen();

        var registry = new DeviceRegistry(reopened);
        (await registry.AdmitAsync(paired, Some.Origin, Some.Rules, CancellationToken.None)).ShouldBeOfType<Admission.Admitted>();
        (await registry.ListOpenRequestsAsync(cursor: null, 10, CancellationToken.None)).Items.ShouldHaveSingleItem().Id.ShouldBe(open.Id);
    }

    [Fact]
    public async Task Only_its_owner_can_read_the_file()
    {
        await PairAsync(Some.Claim());
        if (OperatingSystem.IsWindows())
            return;
        File.GetUnixFileMode(System.IO.Path.GetDirectoryName(Path)!).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (string file in Directory.GetFiles(System.IO.Path.GetDirectoryName(Path)!))
        {
            File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite, file);
        }
    }

    [Theory]
    [InlineData("x'7b'")]
    [InlineData("cast('null' as blob)")]
    [InlineData("cast('{}' as blob)")]
    [InlineData("cast(replace(cast(document as text), '\"grants\":{', '\"grants\":null,\"x\":{') as blob)")]
    [InlineData("cast(replace(cast(document as text), '\"id\":\"', '\"id\":\"0') as blob)")]
    [InlineData("cast(replace(cast(document as text), '\"id\":\"', '\"id\":1,\"x\":\"') as blob)")]
    [InlineData("(select document from devices d where d.id <> devices.id)")]
    public async Task A_damaged_document_admits_nobody(string damage)
    {
        DeviceClaim claim = Some.Claim();
        await PairAsync(claim);
        await PairAsync(Some.Claim());
        Execute($"UPDATE devices SET document = {damage} WHERE id = '{claim.Device}'");

        (await Store.GetAsync(claim.Device, CancellationToken.None)).Damage.ShouldNotBeNull().Device.ShouldBe(claim.Device);
    }

    [Fact]
    public async Task A_row_without_a_device_id_is_left_out_of_lists()
    {
        DeviceClaim claim = Some.Claim();
        await PairAsync(claim);
        await AskAsync(claim.Asking("node"), Some.Rules);
        Execute("INSERT INTO devices (id, version, paired, document) SELECT '0', version, paired, document FROM devices");
        Execute("INSERT INTO requests (id, device, open_until) SELECT '0', '0', open_until FROM requests WHERE open_until IS NOT NULL");
        Execute($"INSERT INTO requests (id, device, open_until) SELECT 'zz', '{claim.Device}', open_until FROM requests WHERE id = '0'");

        (await Store.ListDevicesAsync(cursor: null, 1, CancellationToken.None)).Items.ShouldHaveSingleItem().Id.ShouldBe(claim.Device);
        (await ListOpenAsync(pageSize: 1)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_file_of_a_newer_version_is_refused_and_named()
    {
        await Store.DisposeAsync();
        Execute("PRAGMA user_version = 99");

        string message = Should.Throw<RegistryUnavailableException>(Reopen).Message;

        message.ShouldContain(Path);
        message.ShouldContain("schema 99");
    }

    [Fact]
    public async Task A_file_of_the_first_version_keeps_everything()
    {
        DeviceClaim paired = Some.Claim("operator", "operator.read");
        DeviceClaim removed = Some.Claim();
        await PairAsync(paired);
        await PairAsync(removed);
        await Registry.RemoveAsync(removed.Device, Some.Operator, Some.Rules, CancellationToken.None);
        await PairByRuleAsync(Some.Claim(), Bounded(perHour: 10, inAll: 10));
        PairingRequest open = await AskAsync(paired.Asking("node"), Some.Rules);
        await Store.DisposeAsync();
        Execute(
            """
            PRAGMA foreign_keys = OFF;
            CREATE TABLE old (id TEXT NOT NULL PRIMARY KEY, version TEXT NOT NULL, paired INTEGER NOT NULL, expires_at INTEGER, document BLOB NOT NULL) STRICT;
            INSERT INTO old SELECT id, version, paired, expires_at, document FROM devices;
            DROP TABLE devices;
            ALTER TABLE old RENAME TO devices;
            CREATE INDEX devices_paired ON devices (id) WHERE paired = 1;
            CREATE INDEX devices_expiry ON devices (expires_at) WHERE expires_at IS NOT NULL;
            DROP TABLE rule_pairings;
            DROP INDEX requests_subnet;
            DROP INDEX requests_strangers;
            ALTER TABLE requests DROP COLUMN subnet;
            ALTER TABLE requests DROP COLUMN strangers;
            DROP TABLE audit;
            DROP TABLE audit_dropped;
            DROP TABLE audit_kept;
            PRAGMA user_version = 1;
            """);

        await using SqliteDeviceStore reopened = Reopen();

        var registry = new DeviceRegistry(reopened);
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        (await registry.AdmitAsync(paired, Some.Origin, silent, CancellationToken.None)).ShouldBeOfType<Admission.Admitted>();
        (await registry.AdmitAsync(removed, Some.Loopback, silent, CancellationToken.None)).ShouldBeOfType<Admission.Refused>();
        (await registry.AdmitAsync(Some.Claim(), Some.Loopback, Bounded(perHour: 10, inAll: 1), CancellationToken.None)).ShouldBeOfType<Admission.Refused>("a rule has paired one");
        (await registry.ApproveAsync(open.Id, scopes: null, Some.Operator, Some.Rules, CancellationToken.None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        Execute("SELECT count(*) FROM pragma_foreign_key_check").ShouldBe(0L);
    }

    [Fact]
    public async Task A_device_whose_id_begins_like_anothers_is_not_confused_with_it()
    {
        DeviceRecord first = Some.Paired(Some.Claim(), _time.GetUtcNow());
        DeviceId twin = DeviceId.Parse(first.Id.ToString()[..16] + new string('0', DeviceId.Length - 16));
        await PutAsync(previous: null, first);

        (await Store.GetAsync(twin, CancellationToken.None)).Record.ShouldBeNull();
        await Should.ThrowAsync<RegistryUnavailableException>(() => PutAsync(previous: null, first with { Id = twin }));

        (await Store.GetAsync(first.Id, CancellationToken.None)).Record.ShouldNotBeNull();
    }

    [Fact]
    public async Task An_hour_later_a_rule_pairs_again_and_a_restart_does_not_shorten_it()
    {
        PairingRules rules = Bounded(perHour: 1, inAll: 100);
        await PairByRuleAsync(Some.Claim(), rules);
        await Store.DisposeAsync();
        await using SqliteDeviceStore reopened = Reopen();
        var registry = new DeviceRegistry(reopened);

        _time.Advance(RulePairing.Window - TimeSpan.FromMilliseconds(1));
        (await registry.AdmitAsync(Some.Claim(), Some.Loopback, rules, CancellationToken.None)).ShouldBeOfType<Admission.Refused>();
        _time.Advance(TimeSpan.FromMilliseconds(1));
        (await registry.AdmitAsync(Some.Claim(), Some.Loopback, rules, CancellationToken.None)).ShouldBeOfType<Admission.Admitted>();
        Execute("SELECT count(*) FROM rule_pairings").ShouldBe(1L, "what is past is gone");
    }

    [Fact]
    public async Task A_file_that_is_something_else_is_refused_and_named()
    {
        await Store.DisposeAsync();
        await File.WriteAllTextAsync(Path, string.Concat(Enumerable.Repeat("This is no database. ", 100)));

        Should.Throw<RegistryUnavailableException>(Reopen).Message.ShouldContain(Path);
    }

    [Fact]
    public async Task A_failed_file_is_an_unavailable_registry()
    {
        Execute("DROP TABLE requests");

        await Should.ThrowAsync<RegistryUnavailableException>(() => AskAsync(Some.Claim(), Some.Rules));
        await Should.ThrowAsync<RegistryUnavailableException>(
            async () => await Store.ListOpenRequestsAsync(cursor: null, 10, CancellationToken.None));
    }

    [Fact]
    public async Task A_swap_that_fails_half_way_leaves_nothing_and_the_next_one_works()
    {
        DeviceClaim claim = Some.Claim();
        Execute("CREATE TRIGGER full BEFORE INSERT ON requests BEGIN SELECT RAISE(ABORT, 'the disk is full'); END");
        await Should.ThrowAsync<RegistryUnavailableException>(() => AskAsync(claim, Some.Rules));

        (await Store.GetAsync(claim.Device, CancellationToken.None)).Record.ShouldBeNull();
        Execute("DROP TRIGGER full");
        await PairAsync(claim);
    }

    [Fact]
    public async Task Made_up_devices_leave_no_row_and_no_growing_file()
    {
        using var stop = new CancellationTokenSource();
        Task listening = Task.Run(async () =>
        {
            await foreach (Announcement announcement in Store.ListenAsync(stop.Token))
                announcement.ShouldNotBeNull();
        });
        var sizes = new List<long>();
        for (int wave = 0; wave < 3; wave++)
        {
            for (int i = 0; i < 500; i++)
                await AskAsync(Some.Claim(), Some.Rules, $"192.0.2.{i % 20}");
            Execute("SELECT count(*) FROM devices").ShouldBe(500L);
            _time.Advance(2 * Some.Lifetimes.Request);

            // Nobody writes: a gateway that listens is enough.
            await Eventually.HoldsAsync(
                () =>
                {
                    _time.Advance(TimeSpan.FromSeconds(1));
                    return Task.FromResult(Execute("SELECT (SELECT count(*) FROM devices) + (SELECT count(*) FROM requests)") is 0L);
                },
                "no row is left");
            sizes.Add((long)Execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")!);
        }

        sizes[^1].ShouldBeLessThanOrEqualTo(sizes[0] * 5 / 4, "space is used again");
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(listening);
    }

    [Fact]
    public async Task A_closed_store_is_an_unavailable_registry()
    {
        await Store.DisposeAsync();

        await Should.ThrowAsync<RegistryUnavailableException>(async () => await Store.GetAsync(Some.Claim().Device, CancellationToken.None));
        await Should.ThrowAsync<RegistryUnavailableException>(
            async () => await PutAsync(previous: null, Some.Paired(Some.Claim(), _time.GetUtcNow())));
    }

    [Fact]
    public async Task It_is_registered_as_the_store()
    {
        await Store.DisposeAsync();
        await using ServiceProvider services = new ServiceCollection()
            .AddSqliteDeviceStore(new SqliteStoreOptions { Path = Path })
            .BuildServiceProvider();

        await services.GetRequiredService<IDeviceStore>().ShouldBeOfType<SqliteDeviceStore>().PingAsync(CancellationToken.None);
    }

    protected override Task<IDeviceStore> OpenAsync() => Task.FromResult<IDeviceStore>(Reopen());

    protected override Task PassAsync(DateTimeOffset time)
    {
        if (time > _time.GetUtcNow())
            _time.SetUtcNow(time);
        return Task.CompletedTask;
    }

    protected override Task LeavesNothingAsync(DeviceClaim claim, PairingRequest request)
    {
        Execute($"SELECT count(*) FROM devices WHERE id = '{claim.Device}'").ShouldBe(0L);
        Execute($"SELECT count(*) FROM requests WHERE device = '{claim.Device}'").ShouldBe(0L);
        return Task.CompletedTask;
    }

    protected override Task<Func<Task>> DamageAsync(DeviceId id, DocumentDamage damage)
    {
        byte[] document = (byte[])Execute($"SELECT document FROM devices WHERE id = '{id}'")!;
        string version = (string)Execute($"SELECT version FROM devices WHERE id = '{id}'")!;
        Put(Damaged(Encoding.UTF8.GetString(document), damage) is { } damaged ? Encoding.UTF8.GetBytes(damaged) : [], version);
        return Task.FromResult(() =>
        {
            Put(document, version);
            return Task.CompletedTask;
        });

        void Put(byte[] value, string version) =>
            Execute($"UPDATE devices SET document = x'{Convert.ToHexString(value)}', version = '{version}' WHERE id = '{id}'");
    }

    private SqliteDeviceStore Reopen() => SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path }, _time, LoggerOf<SqliteDeviceStore>());

    private object? Execute(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
