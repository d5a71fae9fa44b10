using StackExchange.Redis;

namespace ProxyGateway.IntegrationTests.Redis;

/// <summary>A Redis Cluster of our own: three masters that share the slots.</summary>
public sealed class RedisCluster : IAsyncDisposable
{
    private const int Slots = 16384;

    private RedisCluster(IReadOnlyList<RedisServer> masters, IReadOnlyList<RedisServer> replicas) => (Masters, Replicas) = (masters, replicas);

    public IReadOnlyList<RedisServer> Masters { get; }

    /// <summary>One of each master, in the same order; none if it was started without.</summary>
    public IReadOnlyList<RedisServer> Replicas { get; }

    /// <summary>Where it is, as gateways are told.</summary>
    public string Configuration => string.Join(',', Masters.Concat(Replicas).Select(s => s.EndPoint));

    /// <summary>Starts one. A node that is away takes only its own slots with it.</summary>
    public static async Task<RedisCluster> StartAsync(bool withReplicas = false)
    {
        Node[] nodes = await Task.WhenAll(Enumerable.Range(1, withReplicas ? 6 : 3).Select(StartNodeAsync));
        Node[] masters = nodes[..3];
        Node[] replicas = nodes[3..];
        foreach ((int i, Node master) in masters.Index())
            await master.Server.ExecuteAsync("CLUSTER", "ADDSLOTSRANGE", Slots * i / 3, (Slots * (i + 1) / 3) - 1);
        foreach (Node node in nodes[1..])
            await nodes[0].Server.ExecuteAsync("CLUSTER", "MEET", "127.0.0.1", node.Server.Port, node.Server.ClusterPort);
        await Eventually.HoldsAsync(() => AgreeAsync(nodes, "cluster_known_nodes", nodes.Length), "the nodes know each other");
        foreach ((Node replica, Node master) in replicas.Zip(masters))
            await replica.Server.ExecuteAsync("CLUSTER", "REPLICATE", master.Id);
        var cluster = new RedisCluster([.. masters.Select(n => n.Server)], [.. replicas.Select(n => n.Server)]);
        await Eventually.HoldsAsync(() => AgreeAsync(nodes, "cluster_slots_ok", Slots), "the nodes agree on the slots");
        foreach (RedisServer replica in cluster.Replicas)
            await Replication.IsCaughtUpAsync(replica);
        return cluster;
    }

    /// <summary>The master that has this key.</summary>
    public async Task<RedisServer> MasterOfAsync(RedisKey key)
    {
        int slot = (int)await Masters[0].ExecuteAsync("CLUSTER", "KEYSLOT", key);
        return Masters[Enumerable.Range(0, 3).Single(i => slot >= Slots * i / 3 && slot < Slots * (i + 1) / 3)];
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (RedisServer server in Masters.Concat(Replicas))
            await server.DisposeAsync();
    }

    private static async Task<Node> StartNodeAsync(int number)
    {
        RedisServer server = await RedisServer.StartAsync(started: true, [
            "--cluster-enabled", "yes", "--cluster-port", "0", "--cluster-node-timeout", "2000",
            "--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0",
        ]);
        await server.ExecuteAsync("CLUSTER", "SET-CONFIG-EPOCH", number); // nodes of one epoch would argue about it first
        return new Node(server, (await server.ExecuteAsync("CLUSTER", "MYID")).ToString());
    }

    private static async Task<bool> AgreeAsync(Node[] nodes, string field, int value)
    {
        foreach (Node node in nodes)
        {
            string info = (await node.Server.ExecuteAsync("CLUSTER", "INFO")).ToString();
            if (!info.Contains("cluster_state:ok", StringComparison.Ordinal) || !info.Contains($"{field}:{value}\r", StringComparison.Ordinal))
                return false;
        }

        return true;
    }

    private sealed record Node(RedisServer Server, string Id);
}

/// <summary>The cluster that tests share which do it no harm.</summary>
[CollectionDefinition(Name)]
public sealed class SharedCluster : ICollectionFixture<SharedCluster.Fixture>
{
    public const string Name = "Redis Cluster";

    public sealed class Fixture : IAsyncLifetime
    {
        public RedisCluster Cluster { get; private set; } = null!;

        public async Task InitializeAsync() => Cluster = await RedisCluster.StartAsync();

        public async Task DisposeAsync() => await Cluster.DisposeAsync();
    }
}
