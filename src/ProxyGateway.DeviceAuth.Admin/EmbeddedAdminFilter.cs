using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// Runs before the operators' endpoints inside another application, which has authenticated and authorized the operator: sets the
/// operator's name for the audit, refuses pages of other origins, which could use the application's cookie, and answers every error as RFC
/// 9457 defines.
/// </summary>
internal sealed class EmbeddedAdminFilter(PacedLogger<EmbeddedAdminFilter> logger) : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        HttpContext http = context.HttpContext;
        if (AdminRequestGuard.IsOfForeignOrigin(http.Request))
            return AdminProblems.OriginRefused;
        if (http.User.Identity is not { IsAuthenticated: true } identity || SafeText.Of(identity.Name) is not { } name)
            return AdminProblems.NamelessOperator;
        AdminRequestGuard.ForbidCaching(http.Response.Headers);
        http.Features.Set(new Operator(name, Address: http.Connection.RemoteIpAddress?.ToString()));
        try
        {
            return await next(context);
        }
        catch (Exception e) when (AdminFailures.IsHangUp(e, http))
        {
            http.Abort();
            return TypedResults.Empty;
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            return AdminFailures.Describe(e, http, logger);
        }
    }
}
