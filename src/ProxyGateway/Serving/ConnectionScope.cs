namespace ProxyGateway.Serving;

/// <summary>Which limit on connections is reached.</summary>
internal enum ConnectionScope
{
    None,
    Address,
    All,
}
