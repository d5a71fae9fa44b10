using Microsoft.Extensions.Primitives;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.Serving;

/// <summary>The routes and clusters of one reading of the configuration.</summary>
internal sealed class Routes(IReadOnlyList<RouteConfig> routes, IReadOnlyList<ClusterConfig> clusters) : IProxyConfig
{
    private readonly ConfigurationReloadToken _replaced = new();

    IReadOnlyList<RouteConfig> IProxyConfig.Routes => routes;

    public IReadOnlyList<ClusterConfig> Clusters => clusters;

    public IChangeToken ChangeToken => _replaced;

    /// <summary>Has YARP ask for those that are in force now.</summary>
    public void Replace() => _replaced.OnReload();
}
