using System.Diagnostics;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.IntegrationTests.Redis;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Soak;

/// <summary>
/// Two gateways on one Redis, which is killed and restarted all the while; devices come, go, ask for more, are approved, rejected, narrowed and
/// removed. <c>PROXYGATEWAY_TEST_SOAK_SECONDS</c> says for how long.
/// </summary>
[Collection(nameof(AloneCollection))]
public sealed class SoakTests(ITestOutputHelper output)
{
    private const int AtOnce = 12;
    private const int DeedsOfADevice = 60;
    private const int HandleMargin = 32;
    private const long MemoryMargin = 24 << 20;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(Setting.Number("PROXYGATEWAY_TEST_SOAK_SECONDS") ?? 12);
    private static readonly int Seed = Setting.Number("PROXYGATEWAY_TEST_SEED") ?? 1;

    private readonly SoakCounts _counts = new();
    private int _devices;

    [Fact]
    public async Task Nobody_is_wrongly_admitted_and_nothing_leaks()
    {
        await using RedisServer redis = await RedisServer.StartAsync();
        await using TestGateway here = await StartAsync(redis);
        await using TestGateway there = await StartAsync(redis);
        TestGateway[] gateways = [here, there];

        await LiveAsync(gateways, redis, Duration / 4);
        (int handlesBefore, long memoryBefore) = await SettleAsync(gateways);
        await LiveAsync(gateways, redis, Duration * 3 / 4);
        (int handlesAfter, long memoryAfter) = await SettleAsync(gateways);

        output.WriteLine($"seed {Seed}, {Duration}: {_devices} devices: {_counts}");
        output.WriteLine($"handles {handlesBefore} -> {handlesAfter}, memory {memoryBefore / 1048576.0:N1} -> {memoryAfter / 1048576.0:N1} MiB");
        _counts["WRONGLY ADMITTED"].ShouldBe(0);
        _counts["WRONGLY REFUSED"].ShouldBe(0);
        _counts["MESSAGES GARBLED"].ShouldBe(0);
        _counts.ToString().ShouldNotContain("CLOSED WITH");
        foreach (string what in (string[])["admitted", "refused", "approved", "narrowed", "removed", "sessions revoked", "messages relayed", "Redis restarts"])
            _counts[what].ShouldBeGreaterThan(0, what);
        handlesAfter.ShouldBeLessThan(handlesBefore + HandleMargin);
        memoryAfter.ShouldBeLessThan(memoryBefore + MemoryMargin);
    }

    private static Task<TestGateway> StartAsync(RedisServer redis) => TestGateway.StartAsync(
        new(SharedGateway.Generous)
        {
            ["DeviceAuth:Pairing:MaxPendingRequests"] = "1000000",
            ["DeviceAuth:Pairing:AutoApprove:loopback:MaxDevicesPerHour"] = "1000000",
            ["DeviceAuth:Limits:PendingRequestsPerAddress"] = "1000000",
            ["Registry:SweepInterval"] = "00:00:02",
        },
        services: services => services.AddRedisDeviceStore(new RedisStoreOptions { Configuration = redis.EndPoint, KeyPrefix = "pg:" }));

    private async Task LiveAsync(TestGateway[] gateways, RedisServer redis, TimeSpan duration)
    {
        long started = Stopwatch.GetTimestamp();
        Task restarts = Task.Run(async () =>
        {
            var random = new Random(Seed);
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                await Task.Delay(random.Next(500, 3000));
                await redis.KillAsync();
                await Task.Delay(random.Next(0, 800));
                await redis.RestartAsync();
                _counts.Add("Redis restarts");
            }
        });
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                var random = new Random(unchecked((Seed * 1_000_003) + Interlocked.Increment(ref _devices)));
                var device = new SoakDevice(gateways, _counts, random);
                for (int i = 0; i < DeedsOfADevice && Stopwatch.GetElapsedTime(started) < duration; i++)
                    await device.ActAsync();
                await device.DisconnectAsync();
            }
        })));
        await restarts;
    }

    private static async Task<(int Handles, long Memory)> SettleAsync(TestGateway[] gateways)
    {
        foreach (TestGateway gateway in gateways)
        {
            await Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 0), "every place among the handshakes under way is back");
            await Eventually.HoldsAsync(() => Task.FromResult(gateway.Sessions.Count == 0), "no session is left");

            // What the test itself has kept.
            gateway.Log.Clear();
            gateway.Backend.Requests.Clear();
            while (gateway.Backend.TryAccept() is not null)
            {
            }
        }

        int handles = 0;
        for (int i = 0; i < 20 && (i == 0 || Handles() != handles); i++)
        {
            handles = Handles();
            await Task.Delay(100); // sockets that both sides have closed go one by one
        }

        long memory = 0;
        for (int i = 0; i < 3; i++)
            memory = GC.GetTotalMemory(forceFullCollection: true);
        return (handles, memory);
    }

    private static int Handles() => OperatingSystem.IsLinux() ? Directory.GetFileSystemEntries("/proc/self/fd").Length : Process.GetCurrentProcess().HandleCount;
}
