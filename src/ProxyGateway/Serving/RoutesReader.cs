using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.RouteValidators;

namespace ProxyGateway.Serving;

/// <summary>
/// Reads YARP's section by YARP itself, but before it is taken. So its errors stand beside those of the other sections, where YARP would throw an
/// exception for each once it serves.
/// </summary>
internal static partial class RoutesReader
{
    private const string Section = "ReverseProxy";

    /// <summary>The section as a part of the whole configuration.</summary>
    /// <param name="handshakes">The names of the handshakes that routes may name.</param>
    public static ConfigurationPart Part(IReadOnlyList<string> handshakes) =>
        ConfigurationPart.Of(Section, (configuration, errors) => Read(configuration, handshakes, errors), LogReloadRefused);

    private static Routes Read(IConfiguration configuration, IReadOnlyList<string> handshakes, ConfigurationErrors errors)
    {
        IConfigurationSection section = configuration.GetSection(Section);
        using ServiceProvider yarp = BuildYarp(section, handshakes);
        IProxyConfig config;
        try
        {
            config = yarp.GetRequiredService<IProxyConfigProvider>().GetConfig();
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException or InvalidOperationException)
        {
            errors.Add(section.Path, OneLine(e));
            return new Routes([], []);
        }

        if (config.Routes.Count == 0)
            errors.Add($"{section.Path}:Routes", $"is empty, so nothing would be served; it is read from appsettings.json in {Directory.GetCurrentDirectory()}.");

        IConfigValidator validator = yarp.GetRequiredService<IConfigValidator>();
        foreach (RouteConfig route in config.Routes)
        {
            Report($"{section.Path}:Routes:{route.RouteId}", validator.ValidateRouteAsync(route));
            if (route.ClusterId is { } id && !config.Clusters.Any(c => string.Equals(c.ClusterId, id, StringComparison.OrdinalIgnoreCase)))
                errors.AddValue($"{section.Path}:Routes:{route.RouteId}:ClusterId", id, string.Join(", ", config.Clusters.Select(c => c.ClusterId)));
        }

        foreach (ClusterConfig cluster in config.Clusters)
            Report($"{section.Path}:Clusters:{cluster.ClusterId}", validator.ValidateClusterAsync(cluster));
        return new Routes(WithGate(config.Routes, configuration), config.Clusters);

        void Report(string path, ValueTask<IList<Exception>> found)
        {
            foreach (Exception e in found.AsTask().GetAwaiter().GetResult()) // nothing in there waits for anything
                errors.Add(path, OneLine(e));
        }
    }

    /// <summary>
    /// Each route with all that says how it is gated. YARP takes a reload's routes a moment after the gate has taken its options; in between, a route
    /// that leaves a choice to the options of its own reading must not be gated by the next one's.
    /// </summary>
    private static RouteConfig[] WithGate(IReadOnlyList<RouteConfig> routes, IConfiguration configuration)
    {
        var defaults = new DeviceAuthOptions();
        var gate = new SectionReader(ConfigurationLayers.Of(configuration), DeviceAuthOptions.SectionName, new ConfigurationErrors()); // the gate's own reader has told of them
        string handshake = gate.Text(nameof(defaults.Handshake), defaults.Handshake);
        string http = gate.Choice(nameof(defaults.HttpRequests), defaults.HttpRequests).ToString();
        return [.. routes.Select(route =>
        {
            var metadata = new Dictionary<string, string>(route.Metadata ?? new Dictionary<string, string>(), StringComparer.OrdinalIgnoreCase); // as YARP reads them
            metadata.TryAdd(DeviceAuthDefaults.HandshakeMetadata, handshake);
            metadata.TryAdd(DeviceAuthDefaults.HttpMetadata, http);
            return route with { Metadata = metadata };
        })];
    }

    private static ServiceProvider BuildYarp(IConfigurationSection section, IReadOnlyList<string> handshakes)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddReverseProxy().LoadFromConfig(section);
        services.AddSingleton<IRouteValidator>(new DeviceAuthRouteValidator(handshakes));
        return services.BuildServiceProvider();
    }

    private static string OneLine(Exception e) => e.Message.ReplaceLineEndings(" ");

    [LoggerMessage(107, LogLevel.Error, "A reload of the routes was refused; the previous ones stay in force: {Error}")]
    private static partial void LogReloadRefused(ILogger logger, string error);
}
