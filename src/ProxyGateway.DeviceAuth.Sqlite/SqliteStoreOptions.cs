namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>Section <c>Registry:Sqlite</c>.</summary>
public sealed record SqliteStoreOptions
{
    /// <summary>The file; created, with its folder, if it does not exist. A relative path is relative to the current directory.</summary>
    public string Path { get; init; } = "data/registry.db";

    /// <summary>How many audit entries of each source are kept, within <see cref="AuditBytes"/>; 10,000,000 at most. 0: no audit.</summary>
    public int AuditEntries { get; init; } = 100_000;

    /// <summary>How many bytes the documents of each source's audit entries have together at most; 1 MiB or more.</summary>
    public long AuditBytes { get; init; } = 64 * 1024 * 1024;
}
