using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.IntegrationTests.Redis;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry.Auditing;

[Collection(SharedRedis.Name)]
public sealed class RedisAuditStoreTests(SharedRedis.Fixture redis, ITestOutputHelper output) : AuditStoreContract(output)
{
    private readonly string _prefix = $"test:{Guid.NewGuid():N}:";
    private readonly List<RedisDeviceStore> _stores = [];
    private ConnectionMultiplexer _behind = null!;

    private IDatabase Behind => _behind.GetDatabase();

    public override async Task InitializeAsync()
    {
        _behind = await redis.Server.ConnectAsync();
        await base.InitializeAsync();
    }

    public override async Task DisposeAsync()
    {
        foreach (RedisDeviceStore store in _stores)
            await store.DisposeAsync();
        await foreach (RedisKey key in _behind.GetServers().Single().KeysAsync(pattern: _prefix + "*", pageSize: 1000))
            await Behind.KeyDeleteAsync(key);
        await _behind.DisposeAsync();
    }

    [Fact]
    public async Task Ids_rise_across_streams_and_when_the_clock_goes_back()
    {
        long future = DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeMilliseconds();
        await AppendAsync(Entry(AuditKinds.DeviceRefused, "now"));
        await Behind.StreamAddAsync($"{_prefix}{{audit}}:strangers", "entry", AuditDocument.Serialize(Entry(AuditKinds.DeviceRefused, "future")), $"{future}-1048574");
        await AppendAsync(Entry(AuditKinds.DeviceRemoved, "1"), Entry(AuditKinds.DeviceAdmitted, "2"), Entry(AuditKinds.DeviceRefused, "3"));
        await AppendAsync(Entry(AuditKinds.DeviceAdmitted, "4"));

        (await Store.ReadAfterAsync(0, 10, default)).Items.Select(e => e.Reason).ShouldBe(["now", "future", "1", "2", "3", "4"]);
        (await ListAllAsync(new AuditFilter(), pageSize: 1)).Select(e => e.Reason).ShouldBe(["4", "3", "2", "1", "future", "now"]);
    }

    [Fact]
    public async Task The_audits_keys_are_in_one_slot_and_those_of_writers_expire()
    {
        await AppendAsync([.. AuditKinds.All.Select(k => Entry(k))]);

        var keys = new List<RedisKey>();
        await foreach (RedisKey key in _behind.GetServers().Single().KeysAsync(pattern: _prefix + "*", pageSize: 1000))
            keys.Add(key);
        keys.Count.ShouldBe(5);
        keys.Select(k => _behind.HashSlot(k)).Distinct().ShouldHaveSingleItem();
        (await Behind.KeyTimeToLiveAsync(keys.Single(k => k.ToString().Contains("writer")))).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_key_of_another_type_makes_the_audit_unavailable()
    {
        await Behind.StreamAddAsync($"{_prefix}{{audit}}:strangers", "entry", "no entry");
        await Should.ThrowAsync<RegistryUnavailableException>(async () => await Store.ListAsync(new AuditFilter(), before: null, 10, default));
        await Behind.KeyDeleteAsync($"{_prefix}{{audit}}:strangers");
        await Behind.StringSetAsync($"{_prefix}{{audit}}:strangers", "no stream");
        await Should.ThrowAsync<RegistryUnavailableException>(() => AppendAsync(Entry(AuditKinds.DeviceRefused)));
    }

    [Theory]
    [InlineData(AuditKinds.DeviceAdmitted, 3, 500)]
    [InlineData(AuditKinds.DeviceRefused, 64, 1500)]
    public async Task An_entry_takes_little_more_than_its_document(string kind, int scopes, long most)
    {
        IAuditStore roomy = await OpenAsync(kept: 100_000);
        AuditEntry entry = AuditBounds.Cut(TypicalEntry.With(kind, scopes));
        for (int i = 0; i < 40; i++)
            await roomy.AppendAsync(new AuditBatch("memory", i + 1, [.. Enumerable.Repeat(entry, 256)]), default);
        string stream = AuditKinds.SourceOf(kind) == AuditSource.Devices ? "devices" : "strangers";
        long bytes = (long)await Behind.ExecuteAsync("MEMORY", "USAGE", $"{_prefix}{{audit}}:{stream}", "SAMPLES", "0");

        double perEntry = bytes / (40.0 * 256);
        Output.WriteLine($"An entry of {AuditDocument.Serialize(entry).Length} bytes takes {perEntry:F0} in memory.");
        perEntry.ShouldBeLessThan(most);
    }

    [Fact]
    public async Task A_sighting_costs_no_memory()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read", "operator.write");
        RedisDeviceStore store = _stores[0];
        await store.SwapAsync(new DeviceSwap(Previous: null, Some.Paired(claim, DateTimeOffset.UtcNow), ExpiresAt: null, PendingLimits.None), default);
        long before = (long)await Behind.ExecuteAsync("MEMORY", "USAGE", $"{_prefix}{{{claim.Device}}}");
        await store.NoteSeenAsync([new SeenDevice(claim.Device, DateTimeOffset.UtcNow)], default);
        long after = (long)await Behind.ExecuteAsync("MEMORY", "USAGE", $"{_prefix}{{{claim.Device}}}");

        after.ShouldBe(before, "its place is there from the beginning");
    }

    [Fact]
    public async Task Entries_of_older_gateways_are_listed_beside_new_ones()
    {
        await Behind.StreamAddAsync($"{_prefix}{{audit}}:devices", "entry", AuditDocument.Serialize(Entry(AuditKinds.DeviceAutoApproved, "before")));
        await AppendAsync(Entry(AuditKinds.DeviceAdmitted, "came"), Entry(AuditKinds.DeviceAutoApproved, "now"));

        (await ListAllAsync(new AuditFilter(AuditKinds.DeviceAutoApproved), pageSize: 1)).Select(e => e.Reason).ShouldBe(["now", "before"]);
        (await ListAllAsync(new AuditFilter(), pageSize: 1)).Select(e => e.Reason).ShouldBe(["now", "came", "before"]);
        (await Store.ReadAfterAsync(0, 10, default)).Items.Select(e => e.Reason).ShouldBe(["before", "came", "now"]);
    }

    [Fact]
    public async Task One_large_entry_of_an_older_gateway_does_not_cost_those_after_it()
    {
        string operators = $"{_prefix}{{audit}}:operators";
        byte[] small = AuditDocument.Serialize(Entry(AuditKinds.DeviceRemoved, "small"));
        await Behind.StreamAddAsync(operators, "entry", AuditDocument.Serialize(Entry(AuditKinds.DeviceRemoved, new string('x', 8_000))));
        await Task.WhenAll(Enumerable.Range(0, 3000).Select(_ => Behind.StreamAddAsync(operators, "entry", small)));
        IAuditStore store = await OpenAsync(kept: 100_000, 1024 * 1024);

        await store.AppendAsync(new AuditBatch("w", 1, [Entry(AuditKinds.DeviceRemoved, "new")]), default);

        (await Behind.StreamLengthAsync(operators)).ShouldBe(3002, "all of it is far less than the bound");
    }

    [Fact]
    public async Task Older_entries_past_the_bound_in_bytes_are_removed_in_parts()
    {
        string operators = $"{_prefix}{{audit}}:operators";
        byte[] document = AuditDocument.Serialize(Entry(AuditKinds.DeviceRemoved, new string('x', 1000)));
        await Task.WhenAll(Enumerable.Range(0, 4000).Select(_ => Behind.StreamAddAsync(operators, "entry", document)));
        IAuditStore store = await OpenAsync(kept: 100_000, 1024 * 1024);

        await store.AppendAsync(new AuditBatch("w", 1, [Entry(AuditKinds.DeviceRemoved, "new")]), default);
        (await Behind.StreamLengthAsync(operators)).ShouldBe(3001);
        for (int i = 2; i <= 4; i++)
            await store.AppendAsync(new AuditBatch("w", i, [Entry(AuditKinds.DeviceRemoved, "new")]), default);

        ((await Behind.StreamLengthAsync(operators)) * document.Length).ShouldBeInRange(1024 * 1024 * 9 / 10, 1024 * 1024 * 11 / 10, "by the guess");
    }

    [Fact]
    public async Task Entries_of_older_gateways_are_read_and_kept_within_the_bound()
    {
        const int Bytes = 1024 * 1024;
        byte[] large = AuditDocument.Serialize(Entry(AuditKinds.DeviceRefused, new string('x', 10_000)));
        for (int i = 0; i < 300; i++)
            await Behind.StreamAddAsync($"{_prefix}{{audit}}:strangers", "entry", large);
        IAuditStore store = await OpenAsync(kept: 100_000, Bytes);

        await store.AppendAsync(new AuditBatch("w", 1, [Entry(AuditKinds.DeviceRefused, "new")]), default);

        long left = await Behind.StreamLengthAsync($"{_prefix}{{audit}}:strangers");
        (left * large.Length).ShouldBeInRange(Bytes * 9 / 10, Bytes + large.Length);
        (await store.ListAsync(new AuditFilter(), before: null, 10, default)).Items[0].Reason.ShouldBe("new");
        for (int i = 0; i < 4; i++)
            await store.AppendAsync(new AuditBatch("w", i + 2, [.. Enumerable.Repeat(Entry(AuditKinds.DeviceRefused, new string('y', 1000)), 250)]), default);
        (await store.ReadAfterAsync(0, 10, default)).IsComplete.ShouldBeFalse();
    }

    protected override int? MostReadForPage => AuditStreams.MostReadForPage;

    protected override Task<IAuditStore> OpenAsync(int kept, int bytes = 64 * 1024 * 1024)
    {
        var store = new RedisDeviceStore(
            new RedisStoreOptions { Configuration = redis.Server.EndPoint, KeyPrefix = _prefix, Timeout = TimeSpan.FromSeconds(10), AuditEntries = kept, AuditBytes = bytes },
            NullLogger<RedisDeviceStore>.Instance);
        _stores.Add(store);
        return Task.FromResult<IAuditStore>(store);
    }

    protected override Task<IAuditStore> OpenAnotherAsync(int kept) => OpenAsync(kept, bytes: 64 * 1024 * 1024);
}
