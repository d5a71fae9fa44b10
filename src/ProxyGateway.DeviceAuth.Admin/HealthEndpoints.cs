using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Health;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// Health of the process, for monitoring. No key is needed, so the answers are short and ask as little of the registry as possible.
/// </summary>
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

    private static async Task<IResult> ReadyAsync(HttpContext context, IGateReadiness gate)
    {
        switch (await gate.CheckAsync(context.RequestAborted))
        {
            case null:
                return TypedResults.Text(gate.Notice is { } notice ? $"ok\n{notice}\n" : "ok");
            case { IsStopping: true }:
                return AdminProblems.Stopping;
            case { Description: var failure }:
                context.Response.Headers.RetryAfter = "1"; // not thrown: an exception and a log line for each request would help a flood
                return AdminProblems.RegistryUnavailable with { Detail = failure };
        }
    }
}
