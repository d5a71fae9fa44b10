using Microsoft.Extensions.Primitives;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.Serving;

/// <summary>The routes and clusters of one configuration snapshot.</summary>
internal sealed class Routes(IReadOnlyList<RouteConfig> routes, IReadOnlyList<ClusterConfig> clusters) : IProxyConfig
{
    private readonly ConfigurationReloadToken _replaced = new();

    IReadOnlyList<RouteConfig> IProxyConfig.Routes => routes;

    public IReadOnlyList<ClusterConfig> Clusters => clusters;

    public IChangeToken ChangeToken => _replaced;

    /// <summary>Makes YARP read those in force now.</summary>
    public void Replace() => _replaced.OnReload();
}
