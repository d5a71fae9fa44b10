using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using StackExchange.Redis;

namespace ProxyGateway.IntegrationTests.Registry;

[Collection(SharedRedis.Name)]
public sealed class RedisDeviceStoreTests(SharedRedis.Fixture redis) : DeviceStoreContract
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

    protected override Task<IDeviceStore> OpenAsync() => Task.FromResult<IDeviceStore>(new RedisDeviceStore(
        new RedisStoreOptions { Configuration = redis.Server.EndPoint, KeyPrefix = _prefix, Timeout = TimeSpan.FromSeconds(10) },
        NullLogger<RedisDeviceStore>.Instance));

    protected override Task PassAsync(DateTimeOffset time) =>
        Eventually.HoldsAsync(async () => await NowAsync() >= time, $"it is {time:O} at the server");

    protected override async Task LeavesNothingAsync(Claim claim, PairingRequest request) =>
        (await KeysAsync()).ShouldNotContain(key => key.ToString().Contains(claim.Device.ToString()) || key.ToString().Contains(request.Id.ToString()));

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
