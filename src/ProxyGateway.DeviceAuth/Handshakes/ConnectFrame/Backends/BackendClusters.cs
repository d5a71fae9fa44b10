using System.Collections.Immutable;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

/// <summary>
/// Warns of backends whose cluster the proxy does not have: with a misspelt name the gate would approve nothing there, and say only that nothing is configured.
/// </summary>
internal sealed class BackendClusters : IConfigChangeListener
{
    private readonly IDeviceAuthSettings _settings;
    private readonly BackendLog _log;
    private ImmutableHashSet<string>? _clusters; // null: the proxy has none yet

    public BackendClusters(IDeviceAuthSettings settings, PacedLogger<BackendClusters> logger)
    {
        (_settings, _log) = (settings, new BackendLog(logger));
        settings.Changed += Check;
    }

    /// <inheritdoc/>
    public void ConfigurationApplied(IReadOnlyList<IProxyConfig> proxyConfigs)
    {
        _clusters = proxyConfigs.SelectMany(config => config.Clusters).Select(cluster => cluster.ClusterId).ToImmutableHashSet(StringComparer.OrdinalIgnoreCase);
        Check();
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

    private void Check()
    {
        if (_clusters is not { } clusters)
            return;
        foreach (string cluster in _settings.Current.OpenClawBackends.Keys.Where(name => !clusters.Contains(name)))
            _log.UnknownCluster(cluster);
    }
}
