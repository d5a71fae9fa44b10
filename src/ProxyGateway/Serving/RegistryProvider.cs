namespace ProxyGateway.Serving;

/// <summary>Where the registry is kept.</summary>
internal enum RegistryProvider
{
    /// <summary>In one file, for one gateway.</summary>
    Sqlite,

    /// <summary>In Redis, for one gateway or many.</summary>
    Redis,
}
