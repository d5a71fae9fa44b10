namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>Section <c>Registry:Sqlite</c>.</summary>
public sealed record SqliteStoreOptions
{
    /// <summary>The file; made, with its folder, if it does not exist. A relative path is relative to the current directory.</summary>
    public string Path { get; init; } = "data/registry.db";

    /// <summary>How many audit entries of each source are kept, where they are not too large together. 0: no audit.</summary>
    public int AuditEntries { get; init; } = 100_000;

    /// <summary>How many bytes the documents of each source's audit entries have together at most.</summary>
    public long AuditBytes { get; init; } = 64 * 1024 * 1024;
}
