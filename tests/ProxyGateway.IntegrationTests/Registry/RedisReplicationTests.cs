using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.Tests.Shared;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>What is acknowledged when replicas are waited for, and what becomes of it when one of them takes over.</summary>
public sealed class RedisReplicationTests(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patient = TimeSpan.FromSeconds(10);

    private Replication _redis = null!;

    public async Task InitializeAsync() => _redis = await Replication.StartAsync();

    public async Task DisposeAsync() => await _redis.DisposeAsync();

    [Fact]
    public async Task No_acknowledged_removal_is_lost_when_a_replica_takes_over()
    {
        await using RedisDeviceStore store = Open(waitForReplicas: 1, Patient);
        var registry = new DeviceRegistry(store);
        var removed = new List<Claim>();
        var unconfirmed = new List<RegistryUnavailableException>();
        Claim[] claims = await PairAsync(registry, 300);
        Task remover = Task.Run(async () =>
        {
            foreach (Claim claim in claims)
            {
                try
                {
                    (await registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue();
                    lock (removed)
                        removed.Add(claim);
                }
                catch (RegistryUnavailableException e)
                {
                    unconfirmed.Add(e);
                    return;
                }
            }
        });
        await Eventually.HoldsAsync(() => Task.FromResult(removed.Count > 100), "devices are being removed");

        await _redis.Primary.KillAsync();
        await Replication.PromoteAsync(_redis.Replica);
        await remover;
        TimeSpan took = await Eventually.HoldsAsync(() => AnswersAsync(store), "the store finds the new primary");

        output.WriteLine($"Found the new primary in {took.TotalMilliseconds:F0} ms; {removed.Count} removals were acknowledged, {unconfirmed.Count} failed.");
        removed.Count.ShouldBeLessThan(claims.Length, "the primary was killed while devices were being removed");
        foreach (Claim claim in removed)
            (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>();
    }

    private static PairingRules Silent => Some.Rules with { Policy = PairingPolicy.Default };

    private RedisDeviceStore Open(int waitForReplicas, TimeSpan timeout) => new(
        new RedisStoreOptions { Configuration = _redis.Configuration, Timeout = timeout, WaitForReplicas = waitForReplicas },
        NullLogger<RedisDeviceStore>.Instance);

    private static async Task<Claim[]> PairAsync(DeviceRegistry registry, int count)
    {
        Claim[] claims = [.. Enumerable.Range(0, count).Select(_ => Some.Claim("operator", "operator.read"))];
        foreach (Claim claim in claims)
            (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>();
        return claims;
    }

    private static async Task<bool> AnswersAsync(RedisDeviceStore store)
    {
        try
        {
            await store.GetAsync(Some.Claim().Device, None);
            return true;
        }
        catch (RegistryUnavailableException)
        {
            return false;
        }
    }
}
