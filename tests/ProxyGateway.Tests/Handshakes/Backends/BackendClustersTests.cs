using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.Tests.Handshakes.Backends;

/// <summary>Backends are configured by the names of clusters, and a misspelt one is told.</summary>
public sealed class BackendClustersTests
{
    [Theory]
    [InlineData("agent", "agent,other", "")]
    [InlineData("AGENT", "agent", "")] // as clusters are named in the configuration
    [InlineData("agent,agnet", "agent", "agnet")]
    [InlineData("agent", "", "agent")]
    [InlineData("", "agent", "")]
    public void A_backend_without_a_cluster_is_told_when_clusters_and_when_options_are_loaded(string backends, string clusters, string told)
    {
        var lines = new Lines();
        using var logger = new PacedLogger<BackendClusters>(lines, TimeProvider.System);
        var settings = new Settings();
        foreach (string backend in Split(backends))
            settings.Current = settings.Current with { OpenClawBackends = settings.Current.OpenClawBackends.Add(backend, new OpenClawBackendOptions { Token = "t" }) };
        var checking = new BackendClusters(settings, logger);
        settings.Change();
        lines.Told.ShouldBeEmpty("the proxy has no clusters yet");

        checking.ConfigurationApplied([new Config([.. Split(clusters).Select(id => new ClusterConfig { ClusterId = id })])]);
        lines.Told.ShouldBe(Split(told));
        settings.Change();

        lines.Told.ShouldBe([.. Split(told), .. Split(told)]);
    }

    private static string[] Split(string names) => names.Split(',', StringSplitOptions.RemoveEmptyEntries);

    private sealed class Settings : IDeviceAuthSettings
    {
        public event Action? Changed;

        public DeviceAuthOptions Current { get; set; } = new();

        public void Change() => Changed?.Invoke();
    }

    private sealed record Config(IReadOnlyList<ClusterConfig> Clusters) : IProxyConfig
    {
        public IReadOnlyList<RouteConfig> Routes => [];

        public IChangeToken ChangeToken => throw new NotSupportedException();
    }

    /// <summary>The clusters that lines of the log are about.</summary>
    private sealed class Lines : ILogger<BackendClusters>
    {
        public List<string> Told { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            eventId.Id.ShouldBe(1127);
            Told.Add((string)((IReadOnlyList<KeyValuePair<string, object?>>)state!).Single(part => part.Key == "Cluster").Value!);
        }
    }
}
