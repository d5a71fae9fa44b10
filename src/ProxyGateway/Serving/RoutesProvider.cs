using ProxyGateway.DeviceAuth.Configuration;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.Serving;

/// <summary>Gives YARP the routes in force.</summary>
internal sealed class RoutesProvider : IProxyConfigProvider
{
    private readonly GatewayConfiguration _configuration;

    public RoutesProvider(GatewayConfiguration configuration)
    {
        _configuration = configuration;
        configuration.Taken += (previous, _) => previous.Get<Routes>().Replace();
    }

    /// <inheritdoc/>
    public IProxyConfig GetConfig() => _configuration.Current.Get<Routes>();
}
