using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// A span for each call of an operator with a valid key: whose, which endpoint, and what came of it. Requests without a key have none, so strangers cannot make any.
/// </summary>
internal sealed class AdminSpans(RequestDelegate next)
{
    private static readonly ActivitySource Source = new(Telemetry.ActivitySourceName);

    public Task InvokeAsync(HttpContext context) =>
        Source.HasListeners() && context.Features.Get<AdminKey>() is { } key ? TraceAsync(context, key) : next(context);

    private async Task TraceAsync(HttpContext context, AdminKey key)
    {
        using Activity? span = Source.StartActivity("admin");
        span?.SetTag("proxygateway.operator", key.Options.Name)
            .SetTag("http.request.method", context.Request.Method)
            .SetTag("http.route", (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText);
        try
        {
            await next(context);
        }
        finally
        {
            span?.SetTag("http.response.status_code", context.Response.StatusCode);
        }
    }
}
