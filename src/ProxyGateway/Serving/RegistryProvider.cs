namespace ProxyGateway.Serving;

/// <summary>The kind of store of the registry.</summary>
internal enum RegistryProvider
{
    /// <summary>In one file, for one gateway.</summary>
    Sqlite,

    /// <summary>In Redis, for one gateway or many.</summary>
    Redis,
}
