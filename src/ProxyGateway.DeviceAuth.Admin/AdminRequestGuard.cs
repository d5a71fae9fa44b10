using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// What comes before any endpoint: refuses requests that a page on the web could have made (a foreign <c>Origin</c>, a rebound name),
/// and turns whatever goes wrong into a problem of RFC 9457.
/// </summary>
internal sealed class AdminRequestGuard(RequestDelegate next, AdminOptions options, PacedLogger<AdminRequestGuard> logger)
{
    private const int MaxBodyBytes = 64 * 1024;

    private readonly string _configuredHost = options.Url.IdnHost;

    public Task InvokeAsync(HttpContext context)
    {
        context.Response.OnStarting(static state =>
        {
            IHeaderDictionary headers = ((HttpContext)state).Response.Headers;
            headers.CacheControl = "no-store";
            headers.XContentTypeOptions = "nosniff";
            return Task.CompletedTask;
        }, context);

        // A name that an attacker's DNS points here still says so in Host; an address cannot be rebound.
        if (!IsOwnHost(context))
            return AdminProblems.HostRefused.WriteAsync(context);
        if (context.Request.Headers.Origin.Count > 0 && context.Request.Headers.Origin != $"{context.Request.Scheme}://{context.Request.Host}")
            return AdminProblems.OriginRefused.WriteAsync(context);

        // An endpoint that needs more says so.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = MaxBodyBytes;
        return AnswerAsync(context);
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
        catch (Exception e) when (IsHangUp(e, context))
        {
            // Or else Kestrel tries to read the rest of the body, and logs that it cannot.
            context.Abort();
            return;
        }
        catch (DamagedDocumentException e) when (!context.Response.HasStarted)
        {
            AdminLog.RegistryUnavailable(logger, e.Message);
            problem = AdminProblems.DamagedDevice with { Detail = e.Message };
        }
        catch (RegistryUnavailableException e) when (!context.Response.HasStarted)
        {
            AdminLog.RegistryUnavailable(logger, e.Message);
            context.Response.Headers.RetryAfter = "1";
            problem = e.ChangeWasMade ? AdminProblems.NotConfirmed : AdminProblems.RegistryUnavailable;
        }
        catch (BadHttpRequestException e) when (!context.Response.HasStarted)
        {
            problem = AdminProblems.OfStatus(e.StatusCode);
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            AdminLog.Failed(logger, e);
            problem = AdminProblems.InternalError;
        }

        await problem.WriteAsync(context);
    }

    // A laptop that goes to sleep is no fault. Reads of the body fail before RequestAborted is cancelled.
    private static bool IsHangUp(Exception e, HttpContext context) => e is ConnectionResetException or ConnectionAbortedException
        || (e is OperationCanceledException or IOException && context.RequestAborted.IsCancellationRequested);

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
