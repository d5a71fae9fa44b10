using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using ProxyGateway.DeviceAuth.Diagnostics;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// A span for each call of an operator with a valid key: whose, which endpoint, and what came of it. Requests without a key have none, so strangers cannot make any.
/// </summary>
internal sealed class AdminSpans(RequestDelegate next, GateTelemetry telemetry)
{
    public Task InvokeAsync(HttpContext context) =>
        GateTelemetry.IsTraced && context.Features.Get<AdminKey>() is { } key ? TraceAsync(context, key) : next(context);

    private async Task TraceAsync(HttpContext context, AdminKey key)
    {
        if (telemetry.BeginSpan("admin", Activity.Current?.Context ?? default) is not { } span)
        {
            await next(context);
            return;
        }

        Activity.Current = span;
        span.SetTag("proxygateway.operator", key.Options.Name)
            .SetTag("http.request.method", context.Request.Method)
            .SetTag("http.route", (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText);
        try
        {
            await next(context);
        }
        finally
        {
            span.SetTag("http.response.status_code", context.Response.StatusCode);
            telemetry.EndSpan(span);
        }
    }
}
