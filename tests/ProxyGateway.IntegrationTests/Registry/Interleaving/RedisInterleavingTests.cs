using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry.Interleaving;

/// <summary>Gateways with a Redis between them, each with a connection of its own; they are interleaved, and die, between any two commands.</summary>
public sealed class RedisInterleavingTests(ITestOutputHelper output) : InterleavingContract(output)
{
    private const string Prefix = "pg:";

    private readonly List<(RedisGate Gate, RedisDeviceStore Store)> _gateways = [];
    private RedisServer _redis = null!;
    private RedisDeviceStore _afterwards = null!;
    private ConnectionMultiplexer _behind = null!;

    internal override bool StepsAreCalls => false;

    internal override Lifetimes ShortLifetimes => new(Request: TimeSpan.FromMilliseconds(60), Removed: TimeSpan.FromMilliseconds(90));

    public override async Task InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _behind = await _redis.ConnectAsync();
        _afterwards = OpenAt(_redis.EndPoint);
        await _behind.GetServers().Single().ConfigSetAsync("appendonly", "no"); // this is about order; waiting for the disk would only make it slow
    }

    public override async Task DisposeAsync()
    {
        foreach ((RedisGate gate, RedisDeviceStore store) in _gateways)
        {
            await store.DisposeAsync();
            gate.Dispose();
        }

        await _afterwards.DisposeAsync();
        await _behind.DisposeAsync();
        await _redis.DisposeAsync();
    }

    internal override async Task<IDeviceStore[]> OpenAsync(int gateways, Scheduler? scheduler)
    {
        await _behind.GetServers().Single().FlushDatabaseAsync();
        for (int i = 0; i < gateways; i++)
        {
            if (i == _gateways.Count)
                _gateways.Add(await StartAsync());
            if (_gateways[i].Gate.IsClosed)
            {
                await _gateways[i].Store.DisposeAsync();
                _gateways[i] = await StartAsync();
            }

            int number = i;
            _gateways[i].Gate.Turn = scheduler is null ? null : () => scheduler.StepAsync(number);
        }

        return [.. _gateways.Take(gateways).Select(g => g.Store)];
    }

    internal override Task<IDeviceStore> OpenAfterwardsAsync() => Task.FromResult<IDeviceStore>(_afterwards);

    internal override async Task<DateTimeOffset> NowAsync() => new(await _behind.GetServers().Single().TimeAsync());

    internal override async Task PassAsync()
    {
        DateTimeOffset until = await NowAsync() + (ShortLifetimes.Request / 2);
        await Eventually.HoldsAsync(async () => await NowAsync() >= until, "time passes");
    }

    internal override async Task<bool> ExpiresAsync(DeviceId device) =>
        await _behind.GetDatabase().KeyTimeToLiveAsync($"{Prefix}{{{device}}}") is not null;

    private async Task<(RedisGate Gate, RedisDeviceStore Store)> StartAsync()
    {
        var gate = new RedisGate(_redis.EndPoint, Prefix);
        RedisDeviceStore store = OpenAt(gate.EndPoint);
        await store.PingAsync(CancellationToken.None);
        return (gate, store);
    }

    private static RedisDeviceStore OpenAt(string endPoint) => new(
        new RedisStoreOptions { Configuration = $"{endPoint},protocol=resp2", KeyPrefix = Prefix, Timeout = Eventually.Patience },
        NullLogger<RedisDeviceStore>.Instance);
}
