using Microsoft.Extensions.Primitives;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.RouteValidators;

namespace ProxyGateway.Serving;

/// <summary>
/// YARP's section, read and checked by YARP itself, but before it is taken: its errors stand beside those of the other sections at start, where
/// YARP would say them in an exception for each once it serves, and a reload is taken only together with theirs.
/// </summary>
internal sealed class ReverseProxyConfiguration : IProxyConfigProvider, IDisposable
{
    private const string Section = "ReverseProxy";

    private readonly IConfiguration _configuration;
    private readonly IReloadCheck _others;
    private readonly ILogger _logger;
    private readonly ServiceProvider _yarp;
    private readonly IDisposable _subscription;
    private volatile Taken _taken;

    /// <summary>Reads the section and follows its reloads.</summary>
    /// <param name="configuration">The whole configuration, which was checked.</param>
    /// <param name="others">The rest of it.</param>
    /// <param name="logger">Where what is wrong with a reload goes.</param>
    public ReverseProxyConfiguration(IConfiguration configuration, IReloadCheck others, ILogger<ReverseProxyConfiguration> logger)
    {
        (_configuration, _others, _logger) = (configuration, others, logger);
        _yarp = BuildYarp(configuration.GetSection(Section));
        IProxyConfigProvider provider = _yarp.GetRequiredService<IProxyConfigProvider>();
        _taken = new Taken(provider.GetConfig());
        _subscription = ChangeToken.OnChange(() => provider.GetConfig().ChangeToken, () => Reload(provider.GetConfig()));
    }

    /// <inheritdoc/>
    public IProxyConfig GetConfig() => _taken;

    /// <inheritdoc/>
    public void Dispose()
    {
        _subscription.Dispose();
        _yarp.Dispose();
    }

    /// <summary>Notes everything that is wrong with the section.</summary>
    public static async Task CheckAsync(IConfiguration configuration, ConfigurationErrors errors)
    {
        IConfigurationSection section = configuration.GetSection(Section);
        await using ServiceProvider provider = BuildYarp(section);
        IProxyConfig config;
        try
        {
            config = provider.GetRequiredService<IProxyConfigProvider>().GetConfig();
        }
        catch (Exception e) when (e is FormatException or ArgumentException or InvalidOperationException)
        {
            errors.Add(section.Path, OneLine(e));
            return;
        }

        if (config.Routes.Count == 0)
            errors.Add($"{section.Path}:Routes", $"is empty, so nothing would be served; it is read from appsettings.json in {Directory.GetCurrentDirectory()}.");

        IConfigValidator validator = provider.GetRequiredService<IConfigValidator>();
        foreach (RouteConfig route in config.Routes)
        {
            Report($"{section.Path}:Routes:{route.RouteId}", await validator.ValidateRouteAsync(route));
            if (route.ClusterId is { } id && !config.Clusters.Any(c => string.Equals(c.ClusterId, id, StringComparison.OrdinalIgnoreCase)))
                errors.AddValue($"{section.Path}:Routes:{route.RouteId}:ClusterId", id, string.Join(", ", config.Clusters.Select(c => c.ClusterId)));
        }

        foreach (ClusterConfig cluster in config.Clusters)
            Report($"{section.Path}:Clusters:{cluster.ClusterId}", await validator.ValidateClusterAsync(cluster));

        void Report(string path, IEnumerable<Exception> found)
        {
            foreach (Exception e in found)
                errors.Add(path, OneLine(e));
        }
    }

    private static ServiceProvider BuildYarp(IConfigurationSection section)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddReverseProxy().LoadFromConfig(section);
        services.AddSingleton<IRouteValidator>(new DeviceAuthRouteValidator([DeviceAuthDefaults.ConnectFrame]));
        return services.BuildServiceProvider();
    }

    private void Reload(IProxyConfig next)
    {
        var errors = new ConfigurationErrors();
        CheckAsync(_configuration, errors).GetAwaiter().GetResult(); // nothing in there waits for anything
        if (errors.All.Count == 0 && !_others.IsValid(_configuration, except: Section))
            errors.Add(Section, "is in order, but not the rest of the configuration, and a reload is taken as a whole.");
        if (errors.All.Count > 0)
        {
            foreach (string error in errors.All)
                ReverseProxyLog.ReloadRefused(_logger, error);
            return;
        }

        Taken previous = _taken;
        _taken = new Taken(next);
        previous.Replace();
    }

    private static string OneLine(Exception e) => e.Message.ReplaceLineEndings(" ");

    private sealed class Taken(IProxyConfig config) : IProxyConfig
    {
        private readonly ConfigurationReloadToken _replaced = new();

        public IReadOnlyList<RouteConfig> Routes => config.Routes;

        public IReadOnlyList<ClusterConfig> Clusters => config.Clusters;

        public IChangeToken ChangeToken => _replaced;

        public void Replace() => _replaced.OnReload();
    }
}

internal static partial class ReverseProxyLog
{
    [LoggerMessage(107, LogLevel.Error, "A reload of the routes was refused, and those before stay in force: {Error}")]
    public static partial void ReloadRefused(ILogger logger, string error);
}
