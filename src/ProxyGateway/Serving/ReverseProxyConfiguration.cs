using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.RouteValidators;

namespace ProxyGateway.Serving;

/// <summary>
/// Has YARP check its section before anything starts, so that its errors stand beside those of the other sections. YARP itself checks only
/// when it serves, and says it in an exception for each.
/// </summary>
internal static class ReverseProxyConfiguration
{
    public static async Task CheckAsync(IConfigurationSection section, ConfigurationErrors errors)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddReverseProxy().LoadFromConfig(section);
        services.AddSingleton<IRouteValidator>(new DeviceAuthRouteValidator([DeviceAuthDefaults.ConnectFrame]));
        await using ServiceProvider provider = services.BuildServiceProvider();

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

    private static string OneLine(Exception e) => e.Message.ReplaceLineEndings(" ");
}
