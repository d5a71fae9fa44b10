namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>Section <c>Registry:Sqlite</c>.</summary>
public sealed record SqliteStoreOptions
{
    /// <summary>The file; made, with its folder, if it does not exist. A relative path is relative to the current directory.</summary>
    public string Path { get; init; } = "data/registry.db";
}
