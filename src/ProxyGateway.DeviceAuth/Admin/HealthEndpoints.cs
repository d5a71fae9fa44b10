using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>For whoever watches the process; the only endpoints without a key, so they say nothing but yes or no.</summary>
internal static class HealthEndpoints
{
    public static void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/healthz", () => TypedResults.Text("ok")).AllowAnonymous().DisableRateLimiting()
            .WithTags("health").Describe("isAlive", "Answers while the process is alive").Produces<string>(StatusCodes.Status200OK, "text/plain");
        endpoints.MapGet("/readyz", ReadyAsync).AllowAnonymous().DisableRateLimiting()
            .WithTags("health").Describe("isReady", "Answers 200 while the registry answers and the gateway is not stopping").Produces<string>(StatusCodes.Status200OK, "text/plain")
            .Fails(AdminProblems.RegistryUnavailable, AdminProblems.Stopping);
    }

    private static async Task<IResult> ReadyAsync(HttpContext context, DeviceRegistry registry, RegistryFreshness freshness, Draining draining)
    {
        if (draining.IsUnderWay)
            return AdminProblems.Stopping;
        if (freshness.IsStale)
            throw new RegistryUnavailableException("Changes of the registry have not been heard of for too long.");
        await registry.PingAsync(context.RequestAborted);
        return TypedResults.Text("ok");
    }
}
