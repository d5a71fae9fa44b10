using System.Net;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Health;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.Sqlite;
using Yarp.ReverseProxy.Transforms;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.Services.AddDeviceAuthorization(builder.Configuration).AddSqliteStore(new SqliteStoreOptions { Path = "registry.db" });
builder.Services.AddHealthChecks().AddDeviceAuthorization();
builder.Services.AddReverseProxy().LoadFromConfig(builder.Configuration.GetSection("ReverseProxy")).AddTransforms(route =>
{
    // Known before the backend is asked where the request itself carries the proof; over a WebSocket handshake the device is known only after it.
    route.AddRequestTransform(request =>
    {
        request.ProxyRequest.Headers.Remove("X-Device-Id"); // a client's own says nothing
        if (request.HttpContext.User.FindFirst(DeviceClaimTypes.DeviceId) is { } device)
            request.ProxyRequest.Headers.Add("X-Device-Id", device.Value);
        return default;
    });
});

WebApplication app = builder.Build();
app.MapHealthChecks("/ready");

// For this machine alone. Behind a proxy on this machine everybody comes from loopback: ask for an authorization policy there.
app.MapGet("/connections", (HttpContext context, IDeviceConnections connections) => IPAddress.IsLoopback(context.Connection.RemoteIpAddress!)
    ? Results.Ok(connections.List().Select(c => new { Device = c.Device.ToString(), c.Role, Scopes = c.Scopes.ToString(), c.StartedAt }))
    : Results.NotFound());
app.MapReverseProxy(proxy =>
{
    proxy.UseSessionAffinity();
    proxy.UseLoadBalancing();
    proxy.UsePassiveHealthChecks();
    proxy.UseDeviceAuthorization(); // last; without it every request is answered with 500
});
app.Run();
