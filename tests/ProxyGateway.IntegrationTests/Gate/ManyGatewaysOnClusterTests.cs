using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Overview;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>On a Redis Cluster too, whichever of its masters has a device's document, what one gateway takes away is gone at every gateway.</summary>
[Collection(SharedCluster.Name)]
public sealed class ManyGatewaysOnClusterTests(SharedCluster.Fixture redis, ITestOutputHelper output)
{
    private readonly string _prefix = $"test:{Guid.NewGuid():N}:";

    [Fact]
    public async Task A_removal_at_one_gateway_closes_the_sessions_at_every_gateway()
    {
        await using TestGateway here = await StartAsync();
        await using TestGateway there = await StartAsync();
        foreach (TestGateway gateway in new[] { here, there })
            await Eventually.HoldsAsync(() => Task.FromResult(gateway.Log.Of(10).Any()), "the gateway hears announcements");

        for (int i = 0; i < 6; i++) // of which some are on each master, but for one case in ten
        {
            var device = new TestDevice();
            Outcome session = await TestClient.ConnectAsync(there.Port, device);
            session.ShouldBeAdmitted();

            long started = Stopwatch.GetTimestamp();
            (await here.RemoveAsync(device)).ShouldBeTrue();

            Frame close = await session.Client.ReceiveCloseAsync();
            output.WriteLine($"closed after {Stopwatch.GetElapsedTime(started).TotalMilliseconds:F0} ms");
            (close.CloseCode, close.CloseReason).ShouldBe((1008, "device removed"));
            (await TestClient.ConnectAsync(there.Port, device)).ShouldRequirePairing("not-paired");
        }
    }

    [Fact]
    public async Task The_overview_has_every_hour_whichever_master_keeps_it()
    {
        await using TestGateway here = await StartAsync();
        var there = new OverviewDocuments(TimeProvider.System, here.Services.GetRequiredService<ISharedDocumentStore>());
        long hour = OverviewRing.NumberAt(DateTimeOffset.UtcNow) / OverviewRing.PerHour;
        for (long of = hour - 24; of <= hour; of++)
            await there.WriteAsync(of, [(of * OverviewRing.PerHour, new OverviewCounts { Admissions = 1 })], sessions: 0, isLast: false, default);

        OverviewReport report = await here.Services.GetRequiredService<IGateOverview>().ReadAsync(IGateOverview.MaxHours, default);

        report.ThisGatewayAlone.ShouldBeNull();
        report.Admissions.ShouldBe(24);
    }

    // Nothing is found by sweeping here.
    private Task<TestGateway> StartAsync() => TestGateway.StartAsync(
        new Dictionary<string, string?> { ["Registry:SweepInterval"] = "01:00:00" },
        services: s => s.AddRedisDeviceStore(new RedisStoreOptions
        {
            Configuration = redis.Cluster.Configuration,
            KeyPrefix = _prefix,
            Timeout = TimeSpan.FromSeconds(5),
        }));
}
