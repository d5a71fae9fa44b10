using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.IntegrationTests.Redis;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>What becomes of devices that connect, and of approvals, while Redis is hurt: a device that cannot be decided is refused, and nothing is lost.</summary>
public sealed class RedisTrafficTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Times = 30;

    private RedisServer _server = null!;
    private RedisDeviceStore _store = null!;

    public async Task InitializeAsync()
    {
        _server = await RedisServer.StartAsync();
        _store = OpenAt(_server, TimeSpan.FromSeconds(10));
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public Task Nothing_is_lost_when_Redis_is_killed_and_restarted() => OutageAsync(_server.KillAsync, () => _server.RestartAsync());

    [Fact]
    public async Task Nothing_is_lost_when_Redis_is_stopped_and_continued()
    {
        await using RedisDeviceStore hasty = OpenAt(_server, new RedisStoreOptions().Timeout);
        await OutageAsync(_server.StopAsync, _server.ContinueAsync, tries: 6, hasty);
    }

    [Fact]
    public Task Nothing_is_lost_when_Redis_becomes_a_replica_and_a_primary_again() => OutageAsync(
        () => _server.ExecuteAsync("REPLICAOF", "127.0.0.1", "1"), () => _server.ExecuteAsync("REPLICAOF", "NO", "ONE"));

    [Fact]
    public async Task Nothing_is_lost_while_Redis_loads_its_data()
    {
        await using (ConnectionMultiplexer behind = await _server.ConnectAsync())
        {
            IBatch batch = behind.GetDatabase().CreateBatch();
            Task[] writes = [.. Enumerable.Range(0, 20_000).Select(i => batch.StringSetAsync($"other:{i}", i))];
            batch.Execute();
            await Task.WhenAll(writes);
        }

        await using Traffic traffic = await Traffic.StartAsync(_store);
        await _server.BeginRestartAsync("--key-load-delay", "100"); // microseconds
        await Eventually.HoldsAsync(_server.IsLoadingAsync, "it says that it is loading");
        long began = Stopwatch.GetTimestamp();
        long ended = began;
        for (long now = began; await _server.IsLoadingAsync(); now = Stopwatch.GetTimestamp())
            ended = now;

        await ReportAsync(traffic, began, ended);
    }

    [Fact]
    public async Task Nothing_is_lost_when_Redis_forgets_its_scripts()
    {
        await using Traffic traffic = await Traffic.StartAsync(_store);
        await using ConnectionMultiplexer behind = await _server.ConnectAsync();
        for (int i = 0; i < Times; i++)
        {
            await behind.GetServers().Single().ScriptFlushAsync();
            await traffic.TriesAsync(5);
        }

        output.WriteLine($"{Times} SCRIPT FLUSH: {await traffic.ShouldHaveLostNothingAsync()}");
        traffic.Refused.ShouldBe(0, "a script that was forgotten is told again at once");
    }

    [Fact]
    public async Task Nothing_is_lost_when_Redis_closes_its_connections()
    {
        await using Traffic traffic = await Traffic.StartAsync(_store);
        await using ConnectionMultiplexer behind = await _server.ConnectAsync();
        for (int i = 0; i < Times; i++)
        {
            await behind.GetDatabase().ExecuteAsync("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
            await traffic.FlowsAsync();
        }

        output.WriteLine($"{Times} CLIENT KILL: {await traffic.ShouldHaveLostNothingAsync()}");
    }

    private static RedisDeviceStore OpenAt(RedisServer server, TimeSpan timeout) =>
        new(new RedisStoreOptions { Configuration = server.EndPoint, Timeout = timeout }, NullLogger<RedisDeviceStore>.Instance);

    private async Task OutageAsync(Func<Task> begin, Func<Task> end, int tries = 20, RedisDeviceStore? store = null)
    {
        await using Traffic traffic = await Traffic.StartAsync(store ?? _store, _store);
        await begin();
        long began = Stopwatch.GetTimestamp();
        await traffic.TriesAsync(tries);
        long ended = Stopwatch.GetTimestamp();
        await end();

        await ReportAsync(traffic, began, ended);
    }

    private async Task ReportAsync(Traffic traffic, long began, long ended)
    {
        TimeSpan took = await traffic.FlowsAsync();
        (int admitted, int refused) = traffic.Between(began, ended);
        output.WriteLine($"During the outage {admitted} admitted, {refused} refused; {took.TotalMilliseconds:F0} ms until the first was admitted again.");
        output.WriteLine($"In all {await traffic.ShouldHaveLostNothingAsync()}.");
        admitted.ShouldBe(0);
        refused.ShouldBePositive();
    }
}
