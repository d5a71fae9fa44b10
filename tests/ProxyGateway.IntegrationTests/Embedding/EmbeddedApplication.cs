using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Embedding;

/// <summary>A YARP application with the gate, one route for every path and one backend, as docs/embedding.md puts it together.</summary>
internal static class EmbeddedApplication
{
    /// <summary>The application, not started yet. It listens on a free port of 127.0.0.1.</summary>
    /// <param name="backend">The backend's address.</param>
    /// <param name="addGate">Adds the gate, and a store.</param>
    /// <param name="contentRoot">The content root; null: the current directory.</param>
    public static WebApplication Build(string backend, Action<WebApplicationBuilder> addGate, string? contentRoot = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = contentRoot });
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddReverseProxy().LoadFromMemory(
            [new RouteConfig { RouteId = "agent", ClusterId = "agent", Match = new RouteMatch { Path = "/{**path}" } }],
            [new ClusterConfig { ClusterId = "agent", Destinations = new Dictionary<string, DestinationConfig> { ["local"] = new() { Address = backend } } }]);
        addGate(builder);
        WebApplication app = builder.Build();
        app.MapReverseProxy(proxy =>
        {
            proxy.UseLoadBalancing();
            proxy.UseDeviceAuthorization();
        });
        return app;
    }
}
