using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Limits;

namespace ProxyGateway.DeviceAuth;

/// <summary>
/// Counts the requests under way on a connection that has a <see cref="ConnectionPlace"/>, so that it is not closed for another meanwhile.
/// </summary>
internal sealed class ConnectionRequestMiddleware(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context) =>
        context.Features.Get<ConnectionPlace>() is { } place ? InvokeAsync(context, place) : next(context);

    private async Task InvokeAsync(HttpContext context, ConnectionPlace place)
    {
        if (!place.TryBeginRequest())
        {
            await Problems.TooManyRequests(context);
            return;
        }

        try
        {
            await next(context);
        }
        finally
        {
            place.EndRequest();
        }
    }
}
