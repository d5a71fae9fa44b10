using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.RouteValidators;
using Yarp.ReverseProxy.Transforms.Builder;

namespace ProxyGateway.Serving;

/// <summary>
/// Reads YARP's section with YARP's own code, but before it is applied. So its errors are reported with those of the other sections, where
/// YARP would throw an exception for each while serving.
/// </summary>
internal static partial class RoutesReader
{
    private const string Section = "ReverseProxy";

    /// <summary>The section as a part of the whole configuration.</summary>
    /// <param name="gate">What checks how routes are gated.</param>
    /// <param name="transforms">What checks the gate's transforms.</param>
    public static ConfigurationPart Part(IRouteValidator gate, ITransformFactory transforms) =>
        ConfigurationPart.Of(Section, (configuration, errors) => Read(configuration, gate, transforms, errors), LogReloadRefused);

    private static Routes Read(IConfiguration configuration, IRouteValidator gate, ITransformFactory transforms, ConfigurationErrors errors)
    {
        IConfigurationSection section = configuration.GetSection(Section);
        using ServiceProvider yarp = BuildYarp(section, gate, transforms);
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
            foreach (Exception e in found.AsTask().GetAwaiter().GetResult()) // no validator waits for anything
                errors.Add(path, OneLine(e));
        }
    }

    /// <summary>
    /// Each route with metadata for how it is gated. YARP applies a reload's routes slightly later than the gate applies its options. In
    /// between, a route whose metadata leaves a choice to the options must be gated by the options of its own snapshot.
    /// </summary>
    private static RouteConfig[] WithGate(IReadOnlyList<RouteConfig> routes, IConfiguration configuration)
    {
        var defaults = new DeviceAuthOptions();
        // the gate's own reader reports the errors
        var gate = new SectionReader(configuration, DeviceAuthOptions.SectionName, new ConfigurationErrors());
        string handshake = gate.Text(nameof(defaults.Handshake), defaults.Handshake);
        string http = gate.Choice(nameof(defaults.HttpRequests), defaults.HttpRequests).ToString();
        return [.. routes.Select(route =>
        {
            // like YARP
            var metadata = new Dictionary<string, string>(route.Metadata ?? new Dictionary<string, string>(), StringComparer.OrdinalIgnoreCase);
            metadata.TryAdd(DeviceAuthDefaults.HandshakeMetadata, handshake);
            metadata.TryAdd(DeviceAuthDefaults.HttpMetadata, http);
            return route with { Metadata = metadata };
        })];
    }

    private static ServiceProvider BuildYarp(IConfigurationSection section, IRouteValidator gate, ITransformFactory transforms)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddReverseProxy().LoadFromConfig(section);
        services.AddSingleton(gate);
        services.AddSingleton(transforms);
        return services.BuildServiceProvider();
    }

    private static string OneLine(Exception e) => e.Message.ReplaceLineEndings(" ");

    [LoggerMessage(107, LogLevel.Error, "A reload of the routes was refused; the previous ones stay in force: {Error}")]
    private static partial void LogReloadRefused(ILogger logger, string error);
}
