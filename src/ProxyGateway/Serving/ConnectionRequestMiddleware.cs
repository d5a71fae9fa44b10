namespace ProxyGateway.Serving;

/// <summary>Counts running requests on a connection with a <see cref="ConnectionPlace"/>, so that it is not closed for another meanwhile.</summary>
internal sealed class ConnectionRequestMiddleware(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context) =>
        context.Features.Get<ConnectionPlace>() is { } place ? InvokeAsync(context, place) : next(context);

    private async Task InvokeAsync(HttpContext context, ConnectionPlace place)
    {
        if (!place.TryBeginRequest())
        {
            await RefuseAsync(context);
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

    private static async Task RefuseAsync(HttpContext context)
    {
        context.Response.Headers.RetryAfter = "1";
        context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        try
        {
            await context.Response.WriteAsJsonAsync(
                new ConnectionProblem(
                    "urn:proxygateway:problem:too-many-requests", "Too many requests are under way.", StatusCodes.Status503ServiceUnavailable, "Try again later."),
                ConnectionJsonContext.Default.ConnectionProblem,
                contentType: "application/problem+json",
                context.RequestAborted);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client did not wait for it.
        }
    }
}
