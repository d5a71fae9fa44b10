using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>What is left in Redis, and what a page asks of it. On a server of its own, whose keys and commands are counted.</summary>
public sealed class RedisSizeTests(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private RedisServer _server = null!;
    private RedisDeviceStore _store = null!;
    private DeviceRegistry _registry = null!;
    private ConnectionMultiplexer _behind = null!;

    private IServer Behind => _behind.GetServers().Single();

    public async Task InitializeAsync()
    {
        _server = await RedisServer.StartAsync();
        _behind = await _server.ConnectAsync();
        _store = OpenAt(_server);
        _registry = new DeviceRegistry(_store);
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        await _behind.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Made_up_devices_leave_no_key_behind()
    {
        PairingRules rules = Some.Rules with { Lifetimes = new Lifetimes(TimeSpan.FromSeconds(2), TimeSpan.FromDays(90)) };
        await Parallel.ForAsync(0, 500, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (i, _) =>
        {
            ClaimOrigin origin = Some.Origin with { Address = $"192.0.2.{i % 20}" };
            DeviceClaim claim = Some.Claim();
            (await _registry.AdmitAsync(claim, origin, rules, None)).ShouldBeOfType<Admission.Refused>();
            await _registry.AdmitAsync(claim.Asking("node"), origin, rules, None); // a second request in the same document
        });
        output.WriteLine($"{await Behind.DatabaseSizeAsync()} keys at most");
        (await Behind.DatabaseSizeAsync()).ShouldBeGreaterThan(0);

        TimeSpan took = await Eventually.HoldsAsync(async () => await Behind.DatabaseSizeAsync() == 0, "not one key is left");

        output.WriteLine($"none {took.TotalSeconds:F1} s after the last ask");
    }

    [Fact]
    public async Task A_page_costs_the_same_in_a_small_and_a_large_registry()
    {
        Dictionary<string, long> small = await CommandsOfPagesAsync(1000);
        Dictionary<string, long> large = await CommandsOfPagesAsync(20_000);

        output.WriteLine(string.Join(", ", large.Select(c => $"{c.Key}: {c.Value}")));
        large.ShouldBe(small, ignoreOrder: true);
        large["get"].ShouldBe(3 * 101, "a page reads its own documents, and one to know whether there are more");
    }

    private static RedisDeviceStore OpenAt(RedisServer server) => new(
        new RedisStoreOptions { Configuration = server.EndPoint, Timeout = TimeSpan.FromSeconds(10) }, NullLogger<RedisDeviceStore>.Instance);

    /// <summary>What is called for the first page, one in the middle and one near the end, each of 100 devices.</summary>
    private async Task<Dictionary<string, long>> CommandsOfPagesAsync(int devices)
    {
        DateTimeOffset now = (await _store.GetAsync(Some.Claim().Device, None)).Now;
        int there = (int)await _behind.GetDatabase().SortedSetLengthAsync("pg:devices");
        await _store.WriteAllAsync(
            Enumerable.Range(there, devices - there).Select(_ => new StoredDocument(Some.Paired(Some.Claim(), now), ExpiresAt: null)).ToAsyncEnumerable(), None);
        string last = (await _behind.GetDatabase().SortedSetRangeByRankAsync("pg:devices", -150, -150)).Single().ToString();

        await Behind.ConfigResetStatisticsAsync();
        foreach (string? cursor in new[] { null, new string('8', DeviceId.Length), last })
            (await _store.ListDevicesAsync(cursor, 100, None)).Items.Count.ShouldBe(100);
        string[] upkeep = ["ping", "info", "config|resetstat", "config|get", "echo", "cluster|nodes"];
        return (await Behind.InfoAsync("commandstats")).SelectMany(group => group)
            .ToDictionary(p => p.Key["cmdstat_".Length..], p => long.Parse(p.Value["calls=".Length..p.Value.IndexOf(',')], CultureInfo.InvariantCulture))
            .Where(c => !upkeep.Contains(c.Key)).ToDictionary();
    }
}
