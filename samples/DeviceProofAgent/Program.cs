using System.Security.Claims;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.Sqlite;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.Services.AddDeviceAuthorization(builder.Configuration).AddSqliteStore(new SqliteStoreOptions { Path = "registry.db" });
builder.Services.AddAuthentication(DeviceProofDefaults.AuthenticationScheme).AddDeviceProof();
builder.Services.AddAuthorizationBuilder().AddPolicy("CanWrite", policy => policy.RequireClaim(DeviceClaimTypes.Scope, "notes.write"));

WebApplication app = builder.Build();
app.UseAuthentication();
app.UseAuthorization();
app.MapGet("/", () => "public");
app.MapGet("/whoami", (ClaimsPrincipal user) => user.FindFirstValue(DeviceClaimTypes.DeviceId)).RequireAuthorization();
app.MapPost("/notes", () => "written").RequireAuthorization("CanWrite");
app.MapGet("/events", async (HttpContext context) =>
{
    await context.Response.WriteAsync("data: 1\n\n", context.RequestAborted);
    await context.Response.Body.FlushAsync(context.RequestAborted);
    await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}).RequireAuthorization();
app.Run();
