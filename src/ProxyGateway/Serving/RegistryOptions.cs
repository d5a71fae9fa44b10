namespace ProxyGateway.Serving;

/// <summary>The configuration of the registry: section <c>Registry</c>, read and validated.</summary>
internal sealed record RegistryOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Registry";

    /// <summary>Where the registry is kept.</summary>
    public RegistryProvider Provider { get; init; } = RegistryProvider.Sqlite;

    /// <summary>
    /// How many audit entries are kept at least: of operators, of devices that got in, and of everybody else, each. 0: no audit.
    /// </summary>
    public int AuditEntries { get; init; } = 100_000;

    /// <summary>How many bytes of entries each of the four histories may have at most.</summary>
    public int AuditBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>The file of <see cref="RegistryProvider.Sqlite"/>, absolute or relative to the content root.</summary>
    public string SqlitePath { get; init; } = "data/registry.db";

    /// <summary>How to reach Redis: a connection string of StackExchange.Redis. It may hold a password.</summary>
    public string RedisConfiguration { get; init; } = "127.0.0.1:6379";

    /// <summary>What every key in Redis starts with.</summary>
    public string RedisKeyPrefix { get; init; } = "pg:";

    /// <summary>How long one operation on Redis may take.</summary>
    public TimeSpan RedisTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How many replicas must have a removal or narrowing before it is acknowledged.</summary>
    public int RedisWaitForReplicas { get; init; }
}
