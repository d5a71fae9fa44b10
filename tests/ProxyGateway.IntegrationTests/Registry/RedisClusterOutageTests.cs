using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>A Redis Cluster that loses a node, and one whose slots move.</summary>
public sealed class RedisClusterOutageTests(ITestOutputHelper output)
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly PairingRules Silent = Some.Rules with { Policy = PairingPolicy.Default };

    [Fact]
    public async Task A_killed_node_affects_only_its_own_devices()
    {
        await using RedisCluster cluster = await RedisCluster.StartAsync();
        await using RedisDeviceStore store = OpenAt(cluster);
        var registry = new DeviceRegistry(store);
        ILookup<bool, DeviceClaim> byLoss = await PairAsync(registry, cluster, cluster.Masters[0]);

        await cluster.Masters[0].KillAsync();
        int rounds = 0;
        bool isNoticed;
        do
        {
            isNoticed = (await cluster.Masters[1].ExecuteAsync("CLUSTER", "NODES")).ToString().Contains("master,fail ", StringComparison.Ordinal);
            foreach (DeviceClaim claim in byLoss[true].Take(2))
                await Should.ThrowAsync<RegistryUnavailableException>(async () => await registry.AdmitAsync(claim, Some.Loopback, Silent, None));
            foreach (DeviceClaim claim in byLoss[false])
                (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>();
            rounds++;
        }
        while (!isNoticed);
        await Should.ThrowAsync<RegistryUnavailableException>(async () => await registry.ListDevicesAsync(cursor: null, 100, None)); // half a list would be no list
        output.WriteLine($"In {rounds} rounds, two devices of the node were refused each time, and all {byLoss[false].Count()} of other nodes admitted.");

        await cluster.Masters[0].RestartAsync();
        TimeSpan took = await Eventually.HoldsAsync(() => AreAdmittedAsync(registry, byLoss[true]), "its devices are admitted again");
        output.WriteLine($"They were admitted again {took.TotalMilliseconds:F0} ms after its restart.");
        (await registry.ListDevicesAsync(cursor: null, 100, None)).Items.Count.ShouldBe(byLoss[true].Count() + byLoss[false].Count());
    }

    [Fact]
    public async Task A_cluster_that_is_down_admits_nobody_and_says_so()
    {
        await using RedisCluster cluster = await RedisCluster.StartAsync();
        await using RedisDeviceStore store = OpenAt(cluster);
        var registry = new DeviceRegistry(store);
        ILookup<bool, DeviceClaim> byLoss = await PairAsync(registry, cluster, cluster.Masters[0]);
        foreach (RedisServer master in cluster.Masters)
            await master.ExecuteAsync("CONFIG", "SET", "cluster-require-full-coverage", "yes");

        await cluster.Masters[0].KillAsync();
        DeviceClaim other = byLoss[false].First();
        await Eventually.HoldsAsync(async () => !await AreAdmittedAsync(registry, [other]), "the whole cluster is down");

        (await Should.ThrowAsync<RegistryUnavailableException>(async () => await store.GetAsync(other.Device, None))).Message.ShouldContain("CLUSTERDOWN");
        await cluster.Masters[0].RestartAsync();
        await Eventually.HoldsAsync(() => AreAdmittedAsync(registry, byLoss[true].Concat(byLoss[false])), "everybody is admitted again");
    }

    [Fact]
    public async Task A_slot_that_moves_is_followed()
    {
        await using RedisCluster cluster = await RedisCluster.StartAsync();
        await using RedisDeviceStore store = OpenAt(cluster);
        var registry = new DeviceRegistry(store);
        DeviceClaim claim = (await PairAsync(registry, cluster, cluster.Masters[0]))[true].First();

        SlotMove move = await SlotMove.BeginAsync(cluster, KeyOf(claim));
        (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>("ASK");
        (await registry.SetGrantAsync(claim.Device, claim.Key, ScopeSet.Empty, Some.Operator, Some.Rules, None)).ShouldNotBeNull("ASK");
        await move.EndAsync();
        (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>("MOVED, and narrowed before");
        (await registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue("MOVED");
        (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>();
    }

    [Fact]
    public async Task No_acknowledged_removal_is_lost_when_the_cluster_replaces_a_node()
    {
        await using RedisCluster cluster = await RedisCluster.StartAsync(withReplicas: true);
        await using RedisDeviceStore store = OpenAt(cluster, waitForReplicas: 1);
        var registry = new DeviceRegistry(store);
        ILookup<bool, DeviceClaim> byLoss = await PairAsync(registry, cluster, cluster.Masters[0], count: 200);
        var acknowledged = new List<DeviceClaim>();
        Task remover = Task.Run(async () =>
        {
            try
            {
                foreach (DeviceClaim claim in byLoss[true])
                {
                    (await registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue();
                    acknowledged.Add(claim);
                }
            }
            catch (RegistryUnavailableException)
            {
                // the kill
            }
        });
        await Eventually.HoldsAsync(() => Task.FromResult(acknowledged.Count > 10), "devices are being removed");

        await cluster.Masters[0].KillAsync();
        long killed = Stopwatch.GetTimestamp();
        await remover;
        foreach (DeviceClaim claim in byLoss[false])
            (await registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue("what other nodes have goes on");
        await Eventually.HoldsAsync(() => AnswersAsync(store, byLoss[true].First()), "the cluster has replaced the node");
        TimeSpan took = Stopwatch.GetElapsedTime(killed);

        output.WriteLine($"{acknowledged.Count} of the {byLoss[true].Count()} removals on the node were acknowledged. Its replica answered {took.TotalMilliseconds:F0} ms after the kill (node time-out 2 s).");
        acknowledged.Count.ShouldBeLessThan(byLoss[true].Count(), "it was killed in the middle");
        foreach (DeviceClaim claim in acknowledged)
            (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>();
    }

    [Fact]
    public async Task A_removal_in_a_slot_that_moved_waits_for_the_replica_of_its_new_node()
    {
        await using RedisCluster cluster = await RedisCluster.StartAsync(withReplicas: true);
        await using RedisDeviceStore store = OpenAt(cluster, waitForReplicas: 1);
        var registry = new DeviceRegistry(store);
        DeviceClaim[] claims = [.. (await PairAsync(registry, cluster, cluster.Masters[0]))[true]];
        (await registry.RemoveAsync(claims[0].Device, Some.Operator, Some.Rules, None)).ShouldBeTrue("it is connected");
        SlotMove move = await SlotMove.BeginAsync(cluster, KeyOf(claims[1]));
        await move.EndAsync();

        await cluster.Replicas[1].StopAsync(); // the new node's; the old one's is there
        (await Should.ThrowAsync<RegistryUnavailableException>(async () => await registry.RemoveAsync(claims[1].Device, Some.Operator, Some.Rules, None)))
            .ChangeWasMade.ShouldBeTrue();
        await cluster.Replicas[1].ContinueAsync();

        await Eventually.HoldsAsync(
            async () =>
            {
                try
                {
                    await registry.RemoveAsync(claims[1].Device, Some.Operator, Some.Rules, None);
                    return true;
                }
                catch (RegistryUnavailableException)
                {
                    return false;
                }
            },
            "the removal is confirmed");
    }

    private static RedisDeviceStore OpenAt(RedisCluster cluster, int waitForReplicas = 0) => new(
        new RedisStoreOptions { Configuration = cluster.Configuration, Timeout = TimeSpan.FromSeconds(5), WaitForReplicas = waitForReplicas },
        NullLogger<RedisDeviceStore>.Instance);

    private static string KeyOf(DeviceClaim claim) => $"pg:{{{claim.Device}}}";

    private static async Task<bool> AnswersAsync(RedisDeviceStore store, DeviceClaim claim)
    {
        try
        {
            await store.GetAsync(claim.Device, None);
            return true;
        }
        catch (RegistryUnavailableException)
        {
            return false;
        }
    }

    /// <summary>Pairs devices all over the cluster; those that this node has are under true.</summary>
    private static async Task<ILookup<bool, DeviceClaim>> PairAsync(DeviceRegistry registry, RedisCluster cluster, RedisServer node, int count = 30)
    {
        var claims = new List<(bool, DeviceClaim Claim)>();
        for (int i = 0; i < count; i++)
        {
            DeviceClaim claim = Some.Claim("operator", "operator.read");
            await Eventually.HoldsAsync(() => AreAdmittedAsync(registry, [claim]), "a device is paired"); // on a busy machine a node may be late
            claims.Add((await cluster.MasterOfAsync(KeyOf(claim)) == node, claim));
        }

        return claims.ToLookup(c => c.Item1, c => c.Claim);
    }

    private static async Task<bool> AreAdmittedAsync(DeviceRegistry registry, IEnumerable<DeviceClaim> claims)
    {
        try
        {
            foreach (DeviceClaim claim in claims)
            {
                if (await registry.AdmitAsync(claim, Some.Loopback, Silent, None) is not Admission.Admitted)
                    return false;
            }

            return true;
        }
        catch (RegistryUnavailableException)
        {
            return false;
        }
    }

    /// <summary>The slot of a key on its way from the first master to the second. Between begin and end, who asks the first for the key is told to ask the second.</summary>
    private sealed record SlotMove(RedisCluster Cluster, long Slot, string To)
    {
        public static async Task<SlotMove> BeginAsync(RedisCluster cluster, string key)
        {
            RedisServer from = cluster.Masters[0];
            RedisServer to = cluster.Masters[1];
            var move = new SlotMove(cluster, (long)await from.ExecuteAsync("CLUSTER", "KEYSLOT", key), (await to.ExecuteAsync("CLUSTER", "MYID")).ToString());
            await to.ExecuteAsync("CLUSTER", "SETSLOT", move.Slot, "IMPORTING", (await from.ExecuteAsync("CLUSTER", "MYID")).ToString());
            await from.ExecuteAsync("CLUSTER", "SETSLOT", move.Slot, "MIGRATING", move.To);
            await from.ExecuteAsync("MIGRATE", "127.0.0.1", to.Port, key, 0, 5000);
            return move;
        }

        public async Task EndAsync()
        {
            foreach (RedisServer master in Cluster.Masters)
                await master.ExecuteAsync("CLUSTER", "SETSLOT", Slot, "NODE", To);
        }
    }
}
