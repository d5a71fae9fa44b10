using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>Section <c>Registry:Redis</c>.</summary>
public sealed record RedisStoreOptions
{
    /// <summary>Where Redis is, in StackExchange.Redis' form: <c>host:port,password=…,ssl=true</c>. It may hold a password: it is never logged.</summary>
    public string Configuration { get; init; } = "127.0.0.1:6379";

    /// <summary>What all keys and channels begin with. No braces: they would put all keys in one slot.</summary>
    public string KeyPrefix { get; init; } = "pg:";

    /// <summary>How long one call may take, whatever it has to ask of Redis. Past it the registry counts as unavailable.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How many audit entries of each source are kept, where they are not too large together; Redis keeps some hundred more. 0: no audit.</summary>
    public int AuditEntries { get; init; } = 100_000;

    /// <summary>How many bytes the documents of each source's audit entries have together at most.</summary>
    public long AuditBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>
    /// How many replicas must have what takes something away (<see cref="DeviceSwap.IsRestriction"/>) before it is acknowledged. Replication is
    /// asynchronous: with 0, what was acknowledged in the last moments before a failover may be lost. Grants are never waited for: one that is
    /// lost is asked for again.
    /// </summary>
    public int WaitForReplicas { get; init; }
}
