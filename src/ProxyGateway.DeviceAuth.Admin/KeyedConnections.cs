using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// Protects a connection with a valid key from being closed for another while the request is under way. A connection without a key may be
/// closed: otherwise delayed refusals would shut operators out.
/// </summary>
internal sealed class KeyedConnections(RequestDelegate next, IEnumerable<AdminListenerSetup> setups)
{
    private readonly RequestDelegate _counted = setups.Aggregate(next, (inner, setup) => setup.AroundKeyedRequests?.Invoke(inner) ?? inner);

    public Task InvokeAsync(HttpContext context) => context.Features.Get<AdminKey>() is null ? next(context) : _counted(context);
}
