using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.IntegrationTests.Registry.Interleaving;
using StackExchange.Redis;

namespace ProxyGateway.IntegrationTests.Registry;

[Collection(SharedRedis.Name)]
public sealed class RedisDeviceStoreTests(SharedRedis.Fixture redis) : OwnStoreContract
{
    private readonly string _prefix = $"test:{Guid.NewGuid():N}:";
    private ConnectionMultiplexer _behind = null!;

    private IDatabase Behind => _behind.GetDatabase();

    public override async Task InitializeAsync()
    {
        _behind = await redis.Server.ConnectAsync();
        await base.InitializeAsync();
    }

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        await Behind.KeyDeleteAsync([.. await KeysAsync()]);
        await _behind.DisposeAsync();
    }

    [Fact]
    public async Task A_failed_swap_leaves_nothing_in_the_indexes()
    {
        DeviceClaim claim = Some.Claim();
        DateTimeOffset now = await NowAsync();
        Ask ask = Ask(claim, now);
        DeviceRecord somebodyElses = Some.Paired(claim, now);
        await PutAsync(previous: null, somebodyElses);

        (await PutAsync(previous: null, ask.Next)).ShouldBe(SwapResult.Conflict);

        (await KeysAsync()).Select(k => k.ToString()).ShouldBe(
            [$"{_prefix}{{{claim.Device}}}", $"{_prefix}devices", $"{_prefix}{{{_prefix}devices}}:{claim.Device}"], ignoreOrder: true);
    }

    [Fact]
    public async Task A_renewal_that_came_too_late_does_not_bring_a_request_back()
    {
        DeviceClaim claim = Some.Claim();
        PairingRequest request = await AskAsync(claim, Some.Rules, "192.0.2.1");
        DeviceRecord before = (await Store.GetAsync(claim.Device, CancellationToken.None)).Record!;
        await Registry.RejectAsync(request.Id, Some.Operator, Some.Rules, CancellationToken.None);

        DeviceRecord renewed = before with { Requests = [request with { ExpiresAt = request.ExpiresAt.AddMinutes(1) }] };
        (await PutAsync(before, renewed)).ShouldBe(SwapResult.Conflict);

        (await Behind.KeyExistsAsync($"{_prefix}pending")).ShouldBeFalse();
        (await Behind.KeyExistsAsync($"{_prefix}address:192.0.2.1")).ShouldBeFalse();
        (await Registry.FindRequestAsync(request.Id, CancellationToken.None))!.Status.ShouldBe(PairingRequestStatus.Rejected);
    }

    [Fact]
    public async Task Listing_devices_removes_entries_of_unpaired_devices()
    {
        DeviceClaim paired = Some.Claim();
        DeviceClaim removed = Some.Claim();
        await PairAsync(paired);
        await PairAsync(removed);
        await Registry.RemoveAsync(removed.Device, Some.Operator, Some.Rules, CancellationToken.None);
        await Behind.SortedSetAddAsync($"{_prefix}devices", removed.Device.ToString(), 0);
        await Behind.KeyDeleteAsync($"{_prefix}{{{_prefix}devices}}:{removed.Device}"); // as it goes by itself some time after the pairing
        await Behind.SortedSetAddAsync($"{_prefix}devices", Some.Claim().Device.ToString(), 0);

        PagedResult<DeviceRecord> page = await Store.ListDevicesAsync(cursor: null, 1, CancellationToken.None);

        page.Items.ShouldHaveSingleItem().Id.ShouldBe(paired.Device);
        page.Next.ShouldBeNull();
        (await Behind.SortedSetRangeByRankAsync($"{_prefix}devices")).ShouldBe([paired.Device.ToString()]);
    }

    [Fact]
    public async Task Listing_requests_removes_closed_ones_but_none_that_is_being_written()
    {
        DateTimeOffset now = await NowAsync();
        double later = now.AddMinutes(5).ToUnixTimeMilliseconds();
        PairingRequest open = await AskAsync(Some.Claim(), Some.Rules);
        PairingRequest rejected = await AskAsync(Some.Claim(), Some.Rules);
        await Registry.RejectAsync(rejected.Id, Some.Operator, Some.Rules, CancellationToken.None);
        string resolved = $"{rejected.Id}:{rejected.DeviceId}";
        string givenUp = $"{RequestId.New(now.AddMinutes(-1))}:{Some.Claim().Device}";
        string aboutToBe = $"{RequestId.New(now)}:{Some.Claim().Device}";
        await Behind.SortedSetAddAsync($"{_prefix}pending", [new(resolved, later), new(givenUp, later), new(aboutToBe, later)]);

        PagedResult<PairingRequest> page = await Store.ListOpenRequestsAsync(cursor: null, 1, CancellationToken.None);

        page.Items.ShouldHaveSingleItem().Id.ShouldBe(open.Id);
        (await Behind.SortedSetRangeByRankAsync($"{_prefix}pending")).ShouldBe([$"{open.Id}:{open.DeviceId}", aboutToBe], ignoreOrder: true);
    }

    [Fact]
    public async Task A_foreign_entry_in_an_index_is_removed()
    {
        DeviceClaim claim = Some.Claim();
        await PairAsync(claim);
        PairingRequest open = await AskAsync(claim.Asking("node"), Some.Rules);
        foreach (RedisValue foreign in (RedisValue[])["", "no device", "zz:zz", new byte[] { 0xff, 0xfe }])
        {
            await Behind.SortedSetAddAsync($"{_prefix}devices", foreign, 0);
            await Behind.SortedSetAddAsync($"{_prefix}pending", foreign, 9e15);
        }

        (await Store.ListDevicesAsync(cursor: null, 1, CancellationToken.None)).Items.ShouldHaveSingleItem().Id.ShouldBe(claim.Device);
        (await ListOpenAsync(pageSize: 1)).ShouldBe([open.Id]);

        (await Behind.SortedSetRangeByRankAsync($"{_prefix}devices")).ShouldBe([claim.Device.ToString()]);
        (await Behind.SortedSetRangeByRankAsync($"{_prefix}pending")).ShouldBe([$"{open.Id}:{open.DeviceId}"]);
    }

    [Fact]
    public async Task A_device_that_is_being_paired_stays_in_the_index_if_its_gateway_dies()
    {
        DeviceClaim claim = Some.Claim();
        PairingRequest request = await AskAsync(claim, Some.Rules);
        using var gate = new RedisGate(redis.Server.EndPoint, _prefix);
        await using RedisDeviceStore store = OpenAt($"{gate.EndPoint},protocol=resp2");
        await store.PingAsync(CancellationToken.None);
        gate.Turn = async () =>
        {
            if (!await Behind.KeyExistsAsync($"{_prefix}{{{_prefix}devices}}:{claim.Device}"))
                return Fate.Lives;

            // It was entered, and its document comes next. Somebody lists meanwhile, and finds a device in the index that is not paired.
            (await Store.ListDevicesAsync(cursor: null, 10, CancellationToken.None)).Items.ShouldBeEmpty();
            return Fate.DiesAfter;
        };

        await Should.ThrowAsync<RegistryUnavailableException>(async () =>
            await new DeviceRegistry(store).ApproveAsync(request.Id, scopes: null, Some.Operator, Some.Rules, CancellationToken.None));

        (await Store.GetAsync(claim.Device, CancellationToken.None)).Record!.IsPaired.ShouldBeTrue();
        (await Store.ListDevicesAsync(cursor: null, 10, CancellationToken.None)).Items.ShouldHaveSingleItem().Id.ShouldBe(claim.Device);
    }

    [Fact]
    public async Task A_request_whose_key_holds_what_is_no_device_is_found_in_the_other_index()
    {
        PairingRequest open = await AskAsync(Some.Claim(), Some.Rules);
        await Behind.StringSetAsync($"{_prefix}request:{open.Id}", "no device");

        (await Registry.FindRequestAsync(open.Id, CancellationToken.None)).ShouldNotBeNull().DeviceId.ShouldBe(open.DeviceId);
        await Behind.KeyDeleteAsync($"{_prefix}pending");
        (await Registry.FindRequestAsync(open.Id, CancellationToken.None)).ShouldBeNull();
    }

    [Fact]
    public async Task Lost_indexes_come_back_with_the_next_write()
    {
        PairingRules rules = Some.Rules with { Lifetimes = new Lifetimes(TimeSpan.FromSeconds(3), TimeSpan.FromDays(1)) };
        DeviceClaim paired = Some.Claim();
        await PairAsync(paired);
        PairingRequest open = await AskAsync(paired.Asking("node"), rules, "192.0.2.1");
        await Behind.KeyDeleteAsync([$"{_prefix}pending", $"{_prefix}devices", $"{_prefix}address:192.0.2.1", $"{_prefix}request:{open.Id}"]);
        await PassAsync(open.CreatedAt.AddMilliseconds(301)); // a tenth of the lifetime: the next ask renews

        await AskAsync(paired.Asking("node"), rules, "192.0.2.1");

        (await Store.ListDevicesAsync(cursor: null, 10, CancellationToken.None)).Items.ShouldHaveSingleItem().Id.ShouldBe(paired.Device);
        (await ListOpenAsync(pageSize: 10)).ShouldHaveSingleItem().ShouldBe(open.Id);
        (await Store.FindRequestAsync(open.Id, CancellationToken.None)).ShouldBe(paired.Device);
        (await Behind.SortedSetLengthAsync($"{_prefix}address:192.0.2.1")).ShouldBe(1);
    }

    [Fact]
    public async Task Changes_of_substance_are_announced_and_others_are_not()
    {
        var announced = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await _behind.GetSubscriber().SubscribeAsync(RedisChannel.Literal($"{_prefix}changes"), (_, message) => announced.Enqueue(message.ToString()));
        DeviceClaim claim = Some.Claim();
        await PairAsync(claim);
        DeviceRecord record = (await Store.GetAsync(claim.Device, CancellationToken.None)).Record!;
        await PutAsync(record, record with { Client = new ClientDescription("another") }); // its version is the same
        await Registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, CancellationToken.None);
        DeviceClaim last = Some.Claim();
        await AskAsync(last, Some.Rules);

        await Eventually.HoldsAsync(() => Task.FromResult(announced.Any(m => m.StartsWith(last.Device.ToString(), StringComparison.Ordinal))), "the last change is announced");
        string id = claim.Device.ToString();
        announced.Select(m => m.Split(' ')[0]).ShouldBe([id, id, id, last.Device.ToString()]); // asked, approved, removed; and the other device
        string version = (await Store.GetAsync(last.Device, CancellationToken.None)).Record!.Version;
        announced.Last().ShouldBe($"{last.Device} {version}");
    }

    [Fact]
    public async Task Counted_pairings_of_a_rule_expire_after_an_hour()
    {
        PairingRules rules = Bounded(perHour: 1, inAll: 100);
        DeviceClaim claim = Some.Claim();
        await PairByRuleAsync(claim, rules);
        RedisKey key = $"{_prefix}rule:loopback";
        (await Behind.KeyTimeToLiveAsync(key))!.Value.ShouldBe(RulePairing.Window, TimeSpan.FromMinutes(1));
        double until = (await Behind.SortedSetScoreAsync(key, claim.Device.ToString()))!.Value;
        DateTimeOffset.FromUnixTimeMilliseconds((long)until).ShouldBe(await NowAsync() + RulePairing.Window, TimeSpan.FromMinutes(1));
        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBeNull();

        await Behind.SortedSetAddAsync(key, claim.Device.ToString(), (await NowAsync()).ToUnixTimeMilliseconds()); // an hour has passed

        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBe("loopback");
        (await Behind.SortedSetLengthAsync(key)).ShouldBe(1);
    }

    [Fact]
    public async Task A_full_count_of_a_rules_devices_is_cleaned_of_wrong_entries()
    {
        PairingRules rules = Bounded(perHour: 100, inAll: 3);
        DeviceClaim paired = Some.Claim();
        await PairByRuleAsync(paired, rules);
        await Behind.SortedSetAddAsync($"{_prefix}by-rules", [new(Some.Claim().Device.ToString(), 0), new("no device", 0)]);

        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBeNull();
        (await Behind.SortedSetRangeByRankAsync($"{_prefix}by-rules")).ShouldBe([paired.Device.ToString()]);
        (await Behind.SortedSetLengthAsync($"{_prefix}rule:loopback")).ShouldBe(1, "who was not paired does not count within the hour");
        (await PairByRuleAsync(Some.Claim(), rules)).ShouldBe("loopback");
    }

    [Fact]
    public async Task Keys_of_open_requests_expire()
    {
        await AskAsync(Some.Claim(), Some.Rules, "192.0.2.1");

        foreach (RedisKey key in await KeysAsync())
        {
            (await Behind.KeyTimeToLiveAsync(key)).ShouldNotBeNull(key.ToString());
        }
    }

    [Theory]
    [InlineData("pg:{x}", "localhost", 1)]
    [InlineData("pg:", "", 1)]
    [InlineData("pg:", "localhost,passwrod=secret", 1)]
    [InlineData("pg:", "localhost,password=secret,ssl=secret", 1)]
    [InlineData("pg:", "localhost,password=secret", 0)]
    public void Invalid_options_are_refused_without_quoting_passwords(string prefix, string configuration, int seconds)
    {
        var options = new RedisStoreOptions { Configuration = configuration, KeyPrefix = prefix, Timeout = TimeSpan.FromSeconds(seconds) };

        Should.Throw<ArgumentException>(() => new ServiceCollection().AddRedisDeviceStore(options)).ToString().ShouldNotContain("secret");
    }

    [Fact]
    public async Task A_start_connects_once_before_the_first_handshake()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using ServiceProvider services = new ServiceCollection()
            .AddRedisDeviceStore(new RedisStoreOptions { Configuration = server.EndPoint, Timeout = TimeSpan.FromSeconds(10) })
            .BuildServiceProvider();

        foreach (IHostedService service in services.GetServices<IHostedService>())
            await service.StartAsync(CancellationToken.None);

        string commands = (await server.ExecuteAsync("INFO", "commandstats")).ToString();
        commands.ShouldContain("cmdstat_getex:calls=1,");
    }

    [Fact]
    public async Task A_start_without_Redis_succeeds()
    {
        await using RedisServer away = await RedisServer.StartAsync(started: false);
        await using ServiceProvider services = new ServiceCollection()
            .AddRedisDeviceStore(new RedisStoreOptions { Configuration = away.EndPoint })
            .BuildServiceProvider();

        foreach (IHostedService service in services.GetServices<IHostedService>())
            await service.StartAsync(CancellationToken.None).WaitAsync(Eventually.Patience);
    }

    [Fact]
    public async Task It_is_registered_as_the_store()
    {
        await using ServiceProvider services = new ServiceCollection()
            .AddRedisDeviceStore(new RedisStoreOptions { Configuration = redis.Server.EndPoint, KeyPrefix = _prefix, Timeout = TimeSpan.FromSeconds(10) })
            .BuildServiceProvider();

        await services.GetRequiredService<IDeviceStore>().ShouldBeOfType<RedisDeviceStore>().PingAsync(CancellationToken.None);
    }

    protected override Task<IDeviceStore> OpenAsync() => Task.FromResult<IDeviceStore>(OpenAt(redis.Server.EndPoint));

    protected override Task<Func<Task>> DamageAsync(DeviceId id, DocumentDamage damage) => DamageAsync(Behind, $"{_prefix}{{{id}}}", damage);

    protected override async Task LeavesNothingAsync(DeviceClaim claim, PairingRequest request) =>
        (await KeysAsync()).ShouldNotContain(key => key.ToString().Contains(claim.Device.ToString()) || key.ToString().Contains(request.Id.ToString()));

    /// <summary>Damages the document under a key; what is returned repairs it.</summary>
    internal static async Task<Func<Task>> DamageAsync(IDatabase behind, RedisKey key, DocumentDamage damage)
    {
        string value = (await behind.StringGetAsync(key)).ToString();
        string firstLine = value[..(value.IndexOf('\n') + 1)];
        if (Damaged(value[firstLine.Length..], damage) is { } damaged)
        {
            await behind.StringSetAsync(key, firstLine + damaged);
        }
        else
        {
            await behind.KeyDeleteAsync(key);
            await behind.ListLeftPushAsync(key, "no document");
        }

        return () => behind.StringSetAsync(key, value);
    }

    private RedisDeviceStore OpenAt(string configuration) => new(
        new RedisStoreOptions { Configuration = configuration, KeyPrefix = _prefix, Timeout = TimeSpan.FromSeconds(10) },
        LoggerOf<RedisDeviceStore>());

    private static Ask Ask(DeviceClaim claim, DateTimeOffset now) =>
        Transitions.Ask(record: null, claim, PairingReason.NotPaired, LocalityKind.Remote, "192.0.2.1", now, Some.Lifetimes);

    private async Task<List<RedisKey>> KeysAsync()
    {
        var keys = new List<RedisKey>();
        await foreach (RedisKey key in _behind.GetServers().Single().KeysAsync(pattern: _prefix + "*", pageSize: 1000))
        {
            keys.Add(key);
        }

        return keys;
    }
}
