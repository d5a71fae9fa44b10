using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using StackExchange.Redis;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>The registry in a Redis Cluster, whose keys are spread over three masters.</summary>
[Collection(SharedCluster.Name)]
public sealed class RedisClusterStoreTests(SharedCluster.Fixture redis) : OwnStoreContract
{
    private readonly string _prefix = $"test:{Guid.NewGuid():N}:";
    private ConnectionMultiplexer _behind = null!;

    private IDatabase Behind => _behind.GetDatabase();

    public override async Task InitializeAsync()
    {
        _behind = await ConnectionMultiplexer.ConnectAsync(redis.Cluster.Configuration);
        await base.InitializeAsync();
    }

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        foreach (RedisKey key in await KeysAsync())
            await Behind.KeyDeleteAsync(key);
        await _behind.DisposeAsync();
    }

    [Fact]
    public async Task Documents_are_spread_and_no_step_touches_two_slots()
    {
        await using CommandMonitor monitor = await CommandMonitor.StartAsync(redis.Cluster.Masters);
        for (int i = 0; i < 10; i++)
        {
            DeviceClaim claim = Some.Claim();
            await PairAsync(claim);
            PairingRequest rejected = await AskAsync(claim.Asking("node"), Some.Rules, "192.0.2.1");
            await Registry.RejectAsync(rejected.Id, Some.Operator, Some.Rules, CancellationToken.None);
            await AskAsync(claim.Asking("other"), Some.Rules, "192.0.2.1");
            await Registry.SetGrantAsync(claim.Device, claim.Key, scopes: null, Some.Operator, Some.Rules, CancellationToken.None);
            await Registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, CancellationToken.None);
            await PairAsync(Some.Claim());
            await UseAsync(claim, "used", Some.Loopback, Some.Rules with { Policy = PairingPolicy.Default });
            await UseAsync(Some.Claim(), "used", Some.Loopback, Some.Rules with { Policy = PairingPolicy.Default });
        }

        await Store.ListDevicesAsync(cursor: null, 3, CancellationToken.None);
        await ListOpenAsync(pageSize: 3);

        string last = _prefix + "last";
        foreach (RedisServer master in redis.Cluster.Masters)
            await master.ExecuteAsync("ECHO", last);
        IReadOnlyList<string[]> steps = await monitor.StepsAsync(last);
        steps.Count.ShouldBeGreaterThan(200);
        foreach (string[] step in steps)
        {
            string[] keys = [.. step.Where(a => a.StartsWith(_prefix, StringComparison.Ordinal) && a != _prefix + "changes" && a != last)]; // a channel is no key
            keys.Select(k => _behind.GetHashSlot(k)).Distinct().Count().ShouldBeLessThanOrEqualTo(1, string.Join(' ', step));
        }

        foreach (RedisServer master in redis.Cluster.Masters)
            (await KeysAsync(master)).ShouldContain(key => key.ToString().Contains('{'));
    }

    [Fact]
    public async Task Lost_indexes_come_back()
    {
        PairingRules rules = Some.Rules with { Lifetimes = new Lifetimes(TimeSpan.FromSeconds(10), TimeSpan.FromDays(1)) };
        DeviceClaim paired = Some.Claim();
        await PairAsync(paired);
        PairingRequest open = await AskAsync(paired.Asking("node"), rules, "192.0.2.1");
        RedisKey[] indexes = [$"{_prefix}pending", $"{_prefix}devices", $"{_prefix}address:192.0.2.1", $"{_prefix}request:{open.Id}"];

        foreach (RedisKey index in indexes)
        {
            (await Behind.KeyDeleteAsync(index)).ShouldBeTrue(index.ToString());
        }

        await PassAsync(open.CreatedAt.AddMilliseconds(1001)); // a tenth of the lifetime: the next ask renews
        await AskAsync(paired.Asking("node"), rules, "192.0.2.1");

        foreach (RedisKey index in indexes)
        {
            (await Behind.KeyExistsAsync(index)).ShouldBeTrue(index.ToString());
        }

        (await Store.ListDevicesAsync(cursor: null, 10, CancellationToken.None)).Items.ShouldHaveSingleItem().Id.ShouldBe(paired.Device);
        (await ListOpenAsync(pageSize: 10)).ShouldHaveSingleItem().ShouldBe(open.Id);
    }

    [Fact]
    public async Task A_reader_of_an_index_removes_its_wrong_entries()
    {
        DeviceClaim paired = Some.Claim();
        await PairAsync(paired);
        PairingRequest open = await AskAsync(paired.Asking("node"), Some.Rules, "192.0.2.1");
        DateTimeOffset now = await NowAsync();
        string givenUp = $"{RequestId.New(now.AddMinutes(-1))}:{Some.Claim().Device}";
        await Behind.SortedSetAddAsync($"{_prefix}devices", Some.Claim().Device.ToString(), 0);
        await Behind.SortedSetAddAsync($"{_prefix}pending", givenUp, now.AddMinutes(5).ToUnixTimeMilliseconds());
        await Behind.KeyDeleteAsync($"{_prefix}request:{open.Id}");

        (await Store.ListDevicesAsync(cursor: null, 10, CancellationToken.None)).Items.ShouldHaveSingleItem().Id.ShouldBe(paired.Device);
        (await ListOpenAsync(pageSize: 10)).ShouldHaveSingleItem().ShouldBe(open.Id);
        (await Registry.FindRequestAsync(open.Id, CancellationToken.None)).ShouldNotBeNull().Id.ShouldBe(open.Id);

        (await Behind.SortedSetRangeByRankAsync($"{_prefix}devices")).ShouldBe([paired.Device.ToString()]);
        (await Behind.SortedSetRangeByRankAsync($"{_prefix}pending")).ShouldBe([$"{open.Id}:{open.DeviceId}"]);
    }

    protected override Task<IDeviceStore> OpenAsync() => Task.FromResult<IDeviceStore>(new RedisDeviceStore(
        new RedisStoreOptions { Configuration = redis.Cluster.Configuration, KeyPrefix = _prefix, Timeout = TimeSpan.FromSeconds(10) },
        LoggerOf<RedisDeviceStore>()));

    protected override Task<Func<Task>> DamageAsync(DeviceId id, DocumentDamage damage) =>
        RedisDeviceStoreTests.DamageAsync(Behind, $"{_prefix}{{{id}}}", damage);

    protected override async Task LeavesNothingAsync(DeviceClaim claim, PairingRequest request) =>
        (await KeysAsync()).ShouldNotContain(key => key.ToString().Contains(claim.Device.ToString()) || key.ToString().Contains(request.Id.ToString()));

    private async Task<List<RedisKey>> KeysAsync()
    {
        var keys = new List<RedisKey>();
        foreach (RedisServer master in redis.Cluster.Masters)
            keys.AddRange(await KeysAsync(master));
        return keys;
    }

    private async Task<List<RedisKey>> KeysAsync(RedisServer master)
    {
        var keys = new List<RedisKey>();
        await foreach (RedisKey key in _behind.GetServer(master.EndPoint).KeysAsync(pattern: _prefix + "*", pageSize: 1000))
        {
            keys.Add(key);
        }

        return keys;
    }
}
