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
        endpoints.MapGet("/healthz", (HttpContext context) => Answer(context, "alive")).AllowAnonymous().DisableRateLimiting()
            .WithTags("health").Describe("isAlive", "Answers while the process is alive", "With `Accept: application/json` the answer is an object whose `status` is `alive`.").Produces<string>(StatusCodes.Status200OK, "text/plain");
        endpoints.MapGet("/readyz", ReadyAsync).AllowAnonymous().DisableRateLimiting()
            .WithTags("health").Describe("isReady", "Answers 200 while the registry answers and the gateway is not stopping", "With `Accept: application/json` the answer is an object whose `status` is `ready`; it has a `notice` if its owner should know of something.").Produces<string>(StatusCodes.Status200OK, "text/plain")
            .Fails(AdminProblems.RegistryUnavailable, AdminProblems.Stopping);
    }

    // Text for those who do not ask for JSON: probes and people compare it.
    private static IResult Answer(HttpContext context, string status, string? notice = null) =>
        context.Request.Headers.Accept.ToString().Contains("application/json", StringComparison.OrdinalIgnoreCase)
            ? TypedResults.Json(new HealthView(status, notice), AdminJsonContext.Default.HealthView)
            : TypedResults.Text(notice is null ? "ok" : $"ok\n{notice}\n");

    private static async Task<IResult> ReadyAsync(HttpContext context, IGateReadiness gate)
    {
        switch (await gate.CheckAsync(context.RequestAborted))
        {
            case null:
                return Answer(context, "ready", gate.Notice);
            case { IsStopping: true }:
                return AdminProblems.Stopping;
            case { Description: var failure }:
                context.Response.Headers.RetryAfter = "1"; // not thrown: an exception and a log line for each request would help a flood
                return AdminProblems.RegistryUnavailable with { Detail = failure };
        }
    }
}
