using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Model;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// Ends waits when what they were decided by has changed: all after a reload of the gate's settings, and after one of the proxy's those whose route is
/// gone or another.
/// </summary>
internal sealed class WaitEnder : IConfigChangeListener
{
    private readonly PairingWaits _waits;
    private readonly IServiceProvider _services;

    public WaitEnder(PairingWaits waits, IDeviceAuthSettings settings, IServiceProvider services)
    {
        (_waits, _services) = (waits, services);
        settings.Changed += () => _waits.End(device: null, Closing.TryAgainLater);
    }

    /// <inheritdoc/>
    public void ConfigurationApplied(IReadOnlyList<IProxyConfig> proxyConfigs)
    {
        if (_waits.Count == 0)
            return;

        // The proxy makes its listeners first, so they cannot ask for it in their constructors.
        IProxyStateLookup routes = _services.GetRequiredService<IProxyStateLookup>();
        _waits.End(wait => wait.Route is { } route && !IsInForce(routes, route), Closing.TryAgainLater);
    }

    /// <inheritdoc/>
    public void ConfigurationLoaded(IReadOnlyList<IProxyConfig> proxyConfigs)
    {
    }

    /// <inheritdoc/>
    public void ConfigurationLoadingFailed(IProxyConfigProvider configProvider, Exception exception)
    {
    }

    /// <inheritdoc/>
    public void ConfigurationApplyingFailed(IReadOnlyList<IProxyConfig> proxyConfigs, Exception exception)
    {
    }

    private static bool IsInForce(IProxyStateLookup routes, RouteModel route) =>
        routes.TryGetRoute(route.Config.RouteId, out RouteModel? inForce) && inForce.Config == route.Config;
}
