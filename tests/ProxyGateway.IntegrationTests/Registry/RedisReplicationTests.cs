using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>What is acknowledged when replicas are waited for, and what becomes of it when one of them takes over.</summary>
public sealed class RedisReplicationTests(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patient = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Hasty = TimeSpan.FromSeconds(3);
    private static readonly PairingRules Silent = Some.Rules with { Policy = PairingPolicy.Default };

    private Replication _redis = null!;

    public async Task InitializeAsync() => _redis = await Replication.StartAsync();

    public async Task DisposeAsync() => await _redis.DisposeAsync();

    [Fact]
    public async Task No_acknowledged_removal_or_narrowing_is_lost_when_a_replica_takes_over()
    {
        await using RedisDeviceStore store = Open(waitForReplicas: 1, Patient);
        var registry = new DeviceRegistry(store);
        DeviceClaim[] claims = await PairAsync(registry, 400);
        var acknowledged = new List<DeviceClaim>();
        Task taker = Task.Run(async () =>
        {
            try
            {
                foreach (DeviceClaim claim in claims)
                {
                    if (acknowledged.Count % 2 == 0)
                        (await registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue();
                    else
                        (await registry.SetGrantAsync(claim.Device, claim.Key, ScopeSet.Empty, Some.Operator, Some.Rules, None)).ShouldNotBeNull();
                    acknowledged.Add(claim);
                }
            }
            catch (RegistryUnavailableException)
            {
                // the kill
            }
        });
        await Eventually.HoldsAsync(() => Task.FromResult(acknowledged.Count > 50), "devices are being removed");

        await _redis.Primary.KillAsync();
        await taker;
        await Replication.PromoteAsync(_redis.Replica);
        TimeSpan took = await Eventually.HoldsAsync(() => AnswersAsync(store), "the store finds the new primary");

        output.WriteLine($"{acknowledged.Count} of {claims.Length} were acknowledged; the store found the new primary in {took.TotalMilliseconds:F0} ms.");
        acknowledged.Count.ShouldBeLessThan(claims.Length, "the primary was killed in the middle");
        foreach (DeviceClaim claim in acknowledged)
            (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>();
    }

    [Fact]
    public async Task A_repeated_change_is_not_acknowledged_until_a_replica_has_it()
    {
        await using RedisDeviceStore store = Open(waitForReplicas: 1, Hasty);
        await using RedisDeviceStore patient = Open(waitForReplicas: 1, Patient);
        var registry = new DeviceRegistry(store);
        DeviceClaim claim = (await PairAsync(new DeviceRegistry(patient), 1)).Single();
        await _redis.Replica.StopAsync();

        for (int i = 0; i < 2; i++)
        {
            long started = Stopwatch.GetTimestamp();
            RegistryUnavailableException e = await Should.ThrowAsync<RegistryUnavailableException>(async () =>
                await registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None));
            output.WriteLine($"After {Stopwatch.GetElapsedTime(started).TotalMilliseconds:F0} ms: {e.Message}");
            e.ChangeWasMade.ShouldBeTrue();
            e.Message.ShouldContain("0 of the 1 replicas");
            (await new DeviceRegistry(patient).AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>("it holds");
        }

        await _redis.Replica.ContinueAsync();
        (await new DeviceRegistry(patient).RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue("its request of a moment ago is removed");
        (await new DeviceRegistry(patient).RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeFalse("nothing is left to remove");
        await _redis.Primary.KillAsync();
        await Replication.PromoteAsync(_redis.Replica);
        await Eventually.HoldsAsync(() => AnswersAsync(patient), "the store finds the new primary");
        (await new DeviceRegistry(patient).AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_failover_undoes_an_unreplicated_removal_and_only_a_waiting_operator_knows(int waitForReplicas)
    {
        await using RedisDeviceStore store = Open(waitForReplicas, Hasty);
        var registry = new DeviceRegistry(store);
        DeviceClaim claim = (await PairAsync(registry, 1)).Single();
        await Replication.IsCaughtUpAsync(_redis.Replica);
        await _redis.Replica.ExecuteAsync("REPLICAOF", "127.0.0.1", "1"); // keeps what it has, and hears of nothing more

        bool isAcknowledged = true;
        try
        {
            await registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None);
        }
        catch (RegistryUnavailableException e) when (e.ChangeWasMade)
        {
            isAcknowledged = false;
        }

        await _redis.Primary.KillAsync();
        await Replication.PromoteAsync(_redis.Replica);
        await Eventually.HoldsAsync(() => AnswersAsync(store), "the store finds the new primary");

        (await new DeviceRegistry(store).AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>("replication is asynchronous");
        if (waitForReplicas > 0) // it is made again, and there is nobody to confirm it
            (await Should.ThrowAsync<RegistryUnavailableException>(async () => await registry.AdmitAsync(claim, Some.Loopback, Silent, None))).ChangeWasMade.ShouldBeTrue();
        (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>("this gateway has made the removal");
        (await new DeviceRegistry(store).AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>("it is on record again");
        isAcknowledged.ShouldBe(waitForReplicas == 0);
    }

    [Fact]
    public async Task Waiting_for_replicas_delays_no_other_operation()
    {
        await using RedisDeviceStore store = Open(waitForReplicas: 1, 3 * Patient);
        var registry = new DeviceRegistry(store);
        DeviceClaim[] claims = await PairAsync(registry, 11);
        await _redis.Replica.StopAsync();

        Task[] removals = [.. claims[1..].Select(claim => registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None).AsTask())];
        TimeSpan took = await Eventually.HoldsAsync(
            async () =>
            {
                foreach (DeviceClaim claim in claims[1..])
                {
                    if ((await store.GetAsync(claim.Device, None)).Record!.IsPaired)
                        return false;
                }

                return true;
            },
            "all are removed on the primary");
        for (int i = 0; i < 100; i++)
            (await registry.AdmitAsync(claims[0], Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>();

        removals.ShouldAllBe(removal => !removal.IsCompleted, "nobody has confirmed them");
        output.WriteLine($"{removals.Length} removals held on the primary after {took.TotalMilliseconds:F0} ms, while none was confirmed.");
        await _redis.Replica.ContinueAsync();
        await Task.WhenAll(removals);
    }

    [Fact]
    public async Task A_replica_of_another_history_confirms_nothing()
    {
        var keys = new Keys("pg:");
        var options = new RedisStoreOptions { Configuration = _redis.Configuration, Timeout = Patient };
        await using RedisDeviceStore store = Open(waitForReplicas: 0, Patient);
        DeviceClaim claim = (await PairAsync(new DeviceRegistry(store), 1)).Single();
        await using var replicas = new Replicas(new RedisConnection(options, NullLogger.Instance), keys, wanted: 1);
        string lineage = (await _redis.Primary.ExecuteAsync("INFO", "replication")).ToString().Split('\n')
            .Single(line => line.StartsWith("master_replid:", StringComparison.Ordinal)).Split(':')[1].Trim();

        await replicas.ConfirmAsync(claim.Device, lineage, new Deadline(Patient));
        foreach ((DeviceId id, string history) in new[] { (claim.Device, new string('0', 40)), (Some.Claim().Device, lineage) })
        {
            (await Should.ThrowAsync<RegistryUnavailableException>(() => replicas.ConfirmAsync(id, history, new Deadline(Patient)))).ChangeWasMade.ShouldBeTrue();
        }
    }

    [Fact]
    public async Task Confirming_leaves_the_document_and_its_expiry_alone()
    {
        await using RedisDeviceStore store = Open(waitForReplicas: 1, Patient);
        var registry = new DeviceRegistry(store);
        DeviceClaim[] claims = await PairAsync(registry, 2);
        await registry.SetGrantAsync(claims[0].Device, claims[0].Key, ScopeSet.Empty, Some.Operator, Some.Rules, None);
        await registry.RemoveAsync(claims[1].Device, Some.Operator, Some.Rules, None);

        foreach (RedisServer server in new[] { _redis.Primary, _redis.Replica })
        {
            ((long)await server.ExecuteAsync("PTTL", $"pg:{{{claims[0].Device}}}")).ShouldBe(-1, "it is paired");
            TimeSpan.FromMilliseconds((long)await server.ExecuteAsync("PTTL", $"pg:{{{claims[1].Device}}}"))
                .ShouldBe(Some.Lifetimes.Removed, TimeSpan.FromMinutes(1));
        }
    }

    private RedisDeviceStore Open(int waitForReplicas, TimeSpan timeout) => new(
        new RedisStoreOptions { Configuration = _redis.Configuration, Timeout = timeout, WaitForReplicas = waitForReplicas },
        NullLogger<RedisDeviceStore>.Instance);

    private static async Task<DeviceClaim[]> PairAsync(DeviceRegistry registry, int count)
    {
        DeviceClaim[] claims = [.. Enumerable.Range(0, count).Select(_ => Some.Claim("operator", "operator.read"))];
        foreach (DeviceClaim claim in claims)
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
