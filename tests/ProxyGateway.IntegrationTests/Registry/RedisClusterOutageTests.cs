using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.Tests.Shared;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>A Redis Cluster that loses a node, and one whose slots move.</summary>
public sealed class RedisClusterOutageTests(ITestOutputHelper output)
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly PairingRules Silent = Some.Rules with { Policy = PairingPolicy.Default };

    [Fact]
    public async Task A_node_that_is_killed_takes_only_its_own_devices_with_it()
    {
        await using RedisCluster cluster = await RedisCluster.StartAsync();
        await using RedisDeviceStore store = OpenAt(cluster);
        var registry = new DeviceRegistry(store);
        ILookup<bool, Claim> byLoss = await PairAsync(registry, cluster, cluster.Masters[0]);

        await cluster.Masters[0].KillAsync();
        int rounds = 0;
        bool isNoticed;
        do
        {
            isNoticed = (await cluster.Masters[1].ExecuteAsync("CLUSTER", "NODES")).ToString().Contains("master,fail ", StringComparison.Ordinal);
            foreach (Claim claim in byLoss[true])
                await Should.ThrowAsync<RegistryUnavailableException>(async () => await registry.AdmitAsync(claim, Some.Loopback, Silent, None));
            foreach (Claim claim in byLoss[false])
                (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>();
            rounds++;
        }
        while (!isNoticed);
        await Should.ThrowAsync<RegistryUnavailableException>(async () => await registry.ListPairedAsync(cursor: null, 100, None)); // half a list would be no list
        output.WriteLine($"In {rounds} rounds all {byLoss[true].Count()} devices of the node were refused, and all {byLoss[false].Count()} others admitted.");

        await cluster.Masters[0].RestartAsync();
        TimeSpan took = await Eventually.HoldsAsync(() => AreAdmittedAsync(registry, byLoss[true]), "its devices are admitted again");
        output.WriteLine($"They were admitted again {took.TotalMilliseconds:F0} ms after its restart.");
        (await registry.ListPairedAsync(cursor: null, 100, None)).Items.Count.ShouldBe(byLoss[true].Count() + byLoss[false].Count());
    }

    [Fact]
    public async Task A_cluster_that_is_down_admits_nobody_and_says_so()
    {
        await using RedisCluster cluster = await RedisCluster.StartAsync();
        await using RedisDeviceStore store = OpenAt(cluster);
        var registry = new DeviceRegistry(store);
        ILookup<bool, Claim> byLoss = await PairAsync(registry, cluster, cluster.Masters[0]);
        foreach (RedisServer master in cluster.Masters)
            await master.ExecuteAsync("CONFIG", "SET", "cluster-require-full-coverage", "yes");

        await cluster.Masters[0].KillAsync();
        Claim other = byLoss[false].First();
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
        Claim claim = (await PairAsync(registry, cluster, cluster.Masters[0]))[true].First();
        string key = KeyOf(claim);
        long slot = (long)await cluster.Masters[0].ExecuteAsync("CLUSTER", "KEYSLOT", key);
        string[] ids = [.. await Task.WhenAll(cluster.Masters.Select(async m => (await m.ExecuteAsync("CLUSTER", "MYID")).ToString()))];

        await cluster.Masters[1].ExecuteAsync("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0]);
        await cluster.Masters[0].ExecuteAsync("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1]);
        (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>("it is still there");
        await cluster.Masters[0].ExecuteAsync("MIGRATE", "127.0.0.1", cluster.Masters[1].Port, key, 0, 5000);
        (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>("ASK");
        (await registry.SetGrantAsync(claim.Device, claim.Role, ScopeSet.Empty, Some.Operator, Some.Rules, None)).ShouldNotBeNull("ASK");
        foreach (RedisServer master in cluster.Masters)
            await master.ExecuteAsync("CLUSTER", "SETSLOT", slot, "NODE", ids[1]);
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
        ILookup<bool, Claim> byLoss = await PairAsync(registry, cluster, cluster.Masters[0], count: 200);
        var acknowledged = new List<Claim>();
        Task remover = Task.Run(async () =>
        {
            foreach (Claim claim in byLoss[true].Concat(byLoss[false]))
            {
                try
                {
                    (await registry.RemoveAsync(claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue();
                    acknowledged.Add(claim);
                }
                catch (RegistryUnavailableException)
                {
                    // of the node that was killed
                }
            }
        });
        await Eventually.HoldsAsync(() => Task.FromResult(acknowledged.Count > 10), "devices are being removed");

        await cluster.Masters[0].KillAsync();
        await remover;
        acknowledged.Intersect(byLoss[false]).Count().ShouldBe(byLoss[false].Count(), "what other nodes have goes on");
        TimeSpan took = await Eventually.HoldsAsync(
            async () =>
            {
                try
                {
                    await store.GetAsync(byLoss[true].First().Device, None);
                    return true;
                }
                catch (RegistryUnavailableException)
                {
                    return false;
                }
            },
            "the cluster has replaced it");

        int removed = acknowledged.Intersect(byLoss[true]).Count();
        output.WriteLine($"{removed} of the {byLoss[true].Count()} removals on the node were acknowledged. Its replica answered {took.TotalMilliseconds:F0} ms later (node time-out 2 s).");
        removed.ShouldBeInRange(1, byLoss[true].Count() - 1, "it was killed in the middle");
        foreach (Claim claim in acknowledged.Intersect(byLoss[true]))
            (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>();
    }

    private static RedisDeviceStore OpenAt(RedisCluster cluster, int waitForReplicas = 0) => new(
        new RedisStoreOptions { Configuration = cluster.Configuration, Timeout = TimeSpan.FromSeconds(5), WaitForReplicas = waitForReplicas },
        NullLogger<RedisDeviceStore>.Instance);

    private static string KeyOf(Claim claim) => $"pg:{{{claim.Device}}}";

    /// <summary>Pairs devices all over the cluster; those that this node has are under true.</summary>
    private static async Task<ILookup<bool, Claim>> PairAsync(DeviceRegistry registry, RedisCluster cluster, RedisServer node, int count = 30)
    {
        var claims = new List<(bool, Claim Claim)>();
        for (int i = 0; i < count; i++)
        {
            Claim claim = Some.Claim("operator", "operator.read");
            (await registry.AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>();
            claims.Add((await cluster.MasterOfAsync(KeyOf(claim)) == node, claim));
        }

        return claims.ToLookup(c => c.Item1, c => c.Claim);
    }

    private static async Task<bool> AreAdmittedAsync(DeviceRegistry registry, IEnumerable<Claim> claims)
    {
        try
        {
            foreach (Claim claim in claims)
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
}
