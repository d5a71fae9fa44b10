using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using ProxyGateway.DeviceAuth.Limits;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>The answers to requests that are refused before any upgrade, RFC 9457.</summary>
internal static class Problems
{
    private const string TypePrefix = "urn:proxygateway:problem:";
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    public static Task HttpRefused(HttpContext context) => WriteAsync(context, StatusCodes.Status403Forbidden,
        "http-refused", "Only WebSocket upgrades pass here.", "This route admits devices by a WebSocket handshake (DeviceAuth:HttpRequests is Deny).");

    public static Task UpgradeRefused(HttpContext context) => WriteAsync(context, StatusCodes.Status403Forbidden,
        "upgrade-refused", "Only well-formed WebSocket upgrades pass here.", "The request is not a WebSocket upgrade as RFC 6455 or RFC 8441 describe it.");

    public static Task VersionRefused(HttpContext context)
    {
        context.Response.Headers.SecWebSocketVersion = WebSocketUpgrade.Version;
        return WriteAsync(context, StatusCodes.Status426UpgradeRequired,
            "websocket-version", "Only version 13 of the WebSocket protocol is spoken here.", "See RFC 6455, section 4.4.");
    }

    public static Task OriginRefused(HttpContext context) => WriteAsync(context, StatusCodes.Status403Forbidden,
        "origin-refused", "Pages of this origin may not connect.", "Add the origin to DeviceAuth:AllowedOrigins if its pages are trusted.");

    public static Task PathRefused(HttpContext context) => WriteAsync(context, StatusCodes.Status400BadRequest,
        "path-refused", "The path can be read in more than one way.", "It has an empty segment, dots, a backslash, path parameters, control characters or encoded slashes, or is encoded over and over.");

    public static Task HeaderRefused(HttpContext context) => WriteAsync(context, StatusCodes.Status400BadRequest,
        "header-refused", "A header can be read in more than one way.", "MCP-Protocol-Version, Mcp-Method and Mcp-Name must each come once here, without a comma or a quote: a name that has one is sent encoded.");

    public static Task OverBudget(HttpContext context, BudgetScope scope) => scope switch
    {
        BudgetScope.Rate => TryAgain(context, StatusCodes.Status429TooManyRequests, "too-many-handshakes", "Too many handshakes come from this address."),
        BudgetScope.Address => TryAgain(context, StatusCodes.Status429TooManyRequests, "too-many-handshakes", "Too many handshakes from this address are under way."),
        _ => TryAgain(context, StatusCodes.Status503ServiceUnavailable, "too-many-handshakes", "Too many handshakes are under way."),
    };

    public static Task Draining(HttpContext context)
    {
        if (!HttpProtocol.IsHttp2(context.Request.Protocol))
            context.Response.Headers.Connection = "close"; // the next attempt should reach another gateway, or this one's successor
        return TryAgain(context, StatusCodes.Status503ServiceUnavailable, "restarting", "The gateway is restarting.");
    }

    // The log says what is missing: that concerns the operator, not the client.
    public static Task NotGated(HttpContext context) => WriteAsync(context, StatusCodes.Status500InternalServerError,
        "misconfigured", "The gateway is not set up right.", "See its log.");

    public static Task BackendUnavailable(HttpContext context) =>
        TryAgain(context, StatusCodes.Status503ServiceUnavailable, "backend-unavailable", "The gateway lacks what the backend asks of it.");

    private static Task TryAgain(HttpContext context, int status, string type, string title)
    {
        context.Response.Headers[HeaderNames.RetryAfter] = ((int)RetryAfter.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        return WriteAsync(context, status, type, title, "Try again later.");
    }

    private static async Task WriteAsync(HttpContext context, int status, string type, string title, string detail)
    {
        context.Response.StatusCode = status;
        try
        {
            await context.Response.WriteAsJsonAsync(
                new Problem(TypePrefix + type, title, status, detail),
                ProblemJsonContext.Default.Problem,
                contentType: "application/problem+json",
                context.RequestAborted);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has left.
        }
    }
}
