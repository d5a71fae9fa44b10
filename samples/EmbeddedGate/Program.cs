using System.Net;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Health;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.Sqlite;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.Services.AddDeviceAuthorization(builder.Configuration).AddSqliteStore(new SqliteStoreOptions { Path = "registry.db" });
builder.Services.AddHealthChecks().AddDeviceAuthorization();
builder.Services.AddReverseProxy().LoadFromConfig(builder.Configuration.GetSection("ReverseProxy"));

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
