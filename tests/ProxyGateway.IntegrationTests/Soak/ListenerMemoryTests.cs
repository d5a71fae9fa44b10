using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using StackExchange.Redis;

namespace ProxyGateway.IntegrationTests.Soak;

/// <summary>While Redis is away, listening is tried again and again; none of these attempts may go on hearing.</summary>
[Collection(nameof(AloneCollection))]
public sealed class ListenerMemoryTests
{
    private const int Messages = 50_000;
    private static readonly TimeSpan Outage = TimeSpan.FromSeconds(4);

    [Fact]
    public async Task A_subscription_that_failed_in_an_outage_is_not_kept()
    {
        await using RedisServer redis = await RedisServer.StartAsync();
        await using var store = new RedisDeviceStore(
            new RedisStoreOptions { Configuration = redis.EndPoint, KeyPrefix = "pg:", Timeout = TimeSpan.FromMilliseconds(200) }, NullLogger<RedisDeviceStore>.Instance);
        using var stop = new CancellationTokenSource();
        int resumed = 0;
        int changed = 0;
        Task listening = Task.Run(async () =>
        {
            try
            {
                await foreach (Announcement announcement in store.ListenAsync(stop.Token))
                {
                    _ = announcement is Announcement.Resumed ? Interlocked.Increment(ref resumed) : announcement is Announcement.Changed ? Interlocked.Increment(ref changed) : 0;
                }
            }
            catch (OperationCanceledException)
            {
                // It has heard enough.
            }
        });
        await Eventually.HoldsAsync(() => Task.FromResult(Volatile.Read(ref resumed) == 1), "it listens");
        await redis.KillAsync();
        await Task.Delay(Outage); // attempts fail
        await redis.RestartAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(Volatile.Read(ref resumed) == 2), "it listens again");
        long before = GC.GetTotalMemory(forceFullCollection: true);

        await using ConnectionMultiplexer other = await redis.ConnectAsync();
        string device = new('a', 64);
        for (int i = 0; i < Messages; i++)
            await other.GetSubscriber().PublishAsync(RedisChannel.Literal("pg:changes"), $"{device} version-{i}", CommandFlags.FireAndForget);
        await Eventually.HoldsAsync(() => Task.FromResult(Volatile.Read(ref changed) == Messages), "it has heard all of it");

        GC.GetTotalMemory(forceFullCollection: true).ShouldBeLessThan(before + (4 << 20));
        await stop.CancelAsync();
        await listening;
    }
}
