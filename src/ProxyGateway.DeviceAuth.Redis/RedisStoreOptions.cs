using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>Section <c>Registry:Redis</c>.</summary>
public sealed record RedisStoreOptions
{
    /// <summary>
    /// The address of Redis, in StackExchange.Redis' form: <c>host:port,password=…,ssl=true</c>, with one host or more. It may hold a
    /// password:
    /// it is never logged.
    /// </summary>
    public string Configuration { get; init; } = "127.0.0.1:6379";

    /// <summary>The prefix of all keys and channels; empty: none. No braces: they would put all keys in one slot.</summary>
    public string KeyPrefix { get; init; } = "pg:";

    /// <summary>
    /// How long one call may take, with all its commands: more than zero, a minute at most. Past it the registry counts as unavailable.
    /// </summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How many audit entries of each source are kept, within <see cref="AuditBytes"/>; Redis keeps some hundred more. 10,000,000 at most;
    /// 0: no audit.
    /// </summary>
    public int AuditEntries { get; init; } = 100_000;

    /// <summary>How many bytes the documents of each source's audit entries have together at most; 1 MiB or more.</summary>
    public long AuditBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>
    /// How many replicas must have a restriction (<see cref="DeviceSwap.IsRestriction"/>) before it is acknowledged; 0 to 100. Replication
    /// is
    /// asynchronous: with 0, a failover may lose the last acknowledged changes. Grants are never waited for: if one is lost, the device
    /// asks again.
    /// </summary>
    public int WaitForReplicas { get; init; }
}
