using Yarp.ReverseProxy.Configuration;

// Plain YARP: one route to one destination, and everything else as it comes, the server's garbage collector included.
//   PlainYarp --urls http://127.0.0.1:0 --backend http://127.0.0.1:18789
WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
string backend = builder.Configuration["backend"] ?? throw new InvalidOperationException("--backend is missing");
builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Information); // as the gate is told in the same series
builder.Services.AddReverseProxy().LoadFromMemory(
    [new RouteConfig { RouteId = "agent", ClusterId = "agent", Match = new RouteMatch { Path = "{**all}" } }],
    [new ClusterConfig { ClusterId = "agent", Destinations = new Dictionary<string, DestinationConfig> { ["local"] = new() { Address = backend } } }]);

WebApplication app = builder.Build();
app.MapReverseProxy();
await app.RunAsync();
