namespace ProxyGateway.IntegrationTests.Redis;

/// <summary>A primary and its replicas.</summary>
public sealed class Replication : IAsyncDisposable
{
    private Replication(RedisServer primary, RedisServer[] replicas) => (Primary, Replicas) = (primary, replicas);

    /// <summary>Who is the primary at first.</summary>
    public RedisServer Primary { get; }

    public IReadOnlyList<RedisServer> Replicas { get; }

    /// <summary>The first replica.</summary>
    public RedisServer Replica => Replicas[0];

    /// <summary>Where they are, as gateways are told.</summary>
    public string Configuration => string.Join(',', Replicas.Prepend(Primary).Select(s => s.EndPoint));

    public static async Task<Replication> StartAsync(int replicas = 1)
    {
        RedisServer[] servers = await Task.WhenAll(Enumerable.Range(0, replicas + 1).Select(_ => RedisServer.StartAsync(started: true, ["--repl-diskless-sync-delay", "0"])));
        foreach (RedisServer replica in servers[1..])
        {
            await FollowAsync(replica, servers[0]);
            await IsCaughtUpAsync(replica);
        }

        return new Replication(servers[0], servers[1..]);
    }

    /// <summary>Makes a primary of a server.</summary>
    public static async Task PromoteAsync(RedisServer server) => await server.ExecuteAsync("REPLICAOF", "NO", "ONE");

    /// <summary>Makes a replica of a server.</summary>
    public static async Task FollowAsync(RedisServer server, RedisServer primary) => await server.ExecuteAsync("REPLICAOF", "127.0.0.1", primary.Port);

    /// <summary>Waits until a replica has its primary's data.</summary>
    public static Task IsCaughtUpAsync(RedisServer replica) => Eventually.HoldsAsync(
        async () => (await replica.ExecuteAsync("INFO", "replication")).ToString().Contains("master_link_status:up", StringComparison.Ordinal), "the replica is in step");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (RedisServer server in Replicas.Prepend(Primary))
            await server.DisposeAsync();
    }
}
