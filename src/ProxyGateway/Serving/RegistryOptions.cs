namespace ProxyGateway.Serving;

/// <summary>The configuration of the registry: section <c>Registry</c>, read and validated.</summary>
internal sealed record RegistryOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Registry";

    /// <summary>The kind of store.</summary>
    public RegistryProvider Provider { get; init; } = RegistryProvider.Sqlite;

    /// <summary>How many audit entries each of the four histories keeps, within <see cref="AuditBytes"/>. 0: no audit.</summary>
    public int AuditEntries { get; init; } = 100_000;

    /// <summary>How many bytes of entries each of the four histories may have at most.</summary>
    public int AuditBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>The file of <see cref="RegistryProvider.Sqlite"/>, absolute or relative to the content root.</summary>
    public string SqlitePath { get; init; } = "data/registry.db";

    /// <summary>The address of Redis: a connection string of StackExchange.Redis. It may hold a password.</summary>
    public string RedisConfiguration { get; init; } = "127.0.0.1:6379";

    /// <summary>The prefix of every key in Redis.</summary>
    public string RedisKeyPrefix { get; init; } = "pg:";

    /// <summary>How long one operation on Redis may take.</summary>
    public TimeSpan RedisTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How many replicas must have a removal or narrowing before it is acknowledged.</summary>
    public int RedisWaitForReplicas { get; init; }
}
