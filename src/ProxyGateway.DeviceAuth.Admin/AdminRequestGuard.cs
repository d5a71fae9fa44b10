using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// Runs before every endpoint: refuses requests that a web page could have made (a foreign <c>Origin</c>, a rebound name), and turns every
/// exception into a problem of RFC 9457.
/// </summary>
internal sealed class AdminRequestGuard(RequestDelegate next, AdminOptions options, PacedLogger<AdminRequestGuard> logger)
{
    private const int MaxBodyBytes = 64 * 1024;

    private readonly string _configuredHost = options.Url.IdnHost;

    public Task InvokeAsync(HttpContext context)
    {
        context.Response.OnStarting(static state =>
        {
            ForbidCaching(((HttpContext)state).Response.Headers);
            return Task.CompletedTask;
        }, context);

        // A name that an attacker's DNS resolves to this machine is still in Host; an address cannot be rebound.
        if (!IsOwnHost(context))
            return AdminProblems.HostRefused.WriteAsync(context);
        if (IsOfForeignOrigin(context.Request))
            return AdminProblems.OriginRefused.WriteAsync(context);

        // An endpoint that needs more sets its own bound.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = MaxBodyBytes;
        return AnswerAsync(context);
    }

    /// <summary>Whether a page of another origin has made the request.</summary>
    internal static bool IsOfForeignOrigin(HttpRequest request) =>
        request.Headers.Origin.Count > 0 && request.Headers.Origin != $"{request.Scheme}://{request.Host}";

    internal static void ForbidCaching(IHeaderDictionary headers)
    {
        headers.CacheControl = "no-store";
        headers.XContentTypeOptions = "nosniff";
    }

    private async Task AnswerAsync(HttpContext context)
    {
        AdminProblem problem;
        try
        {
            await next(context);
            if (context.Response.HasStarted || context.Response.StatusCode < 400 || context.Response.ContentType is not null)
                return;
            problem = AdminProblems.OfStatus(context.Response.StatusCode);
        }
        catch (Exception e) when (AdminFailures.IsHangUp(e, context))
        {
            // Otherwise Kestrel tries to read the rest of the body, and logs that it cannot.
            context.Abort();
            return;
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            problem = AdminFailures.Describe(e, context, logger);
        }

        await problem.WriteAsync(context);
    }

    private bool IsOwnHost(HttpContext context)
    {
        string host = context.Request.Host.Host;
        if (IPAddress.TryParse(host.AsSpan().Trim("[]"), out IPAddress? address))
        {
            return IPAddress.IsLoopback(address) || address.Equals(context.Connection.LocalIpAddress)
                || address.MapToIPv6().Equals(context.Connection.LocalIpAddress);
        }

        return host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
            || (host.Length > 0 && host.Equals(_configuredHost, StringComparison.OrdinalIgnoreCase));
    }
}
