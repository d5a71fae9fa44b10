using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// Sees that a connection on which a right key was shown is not closed for another while the request is under way. Without a key it may be: else
/// refusals that are held back would shut operators out.
/// </summary>
internal sealed class KeyedConnections(RequestDelegate next)
{
    private readonly ConnectionRequestMiddleware _counted = new(next);

    public Task InvokeAsync(HttpContext context) => context.Features.Get<AdminKey>() is null ? next(context) : _counted.InvokeAsync(context);
}
