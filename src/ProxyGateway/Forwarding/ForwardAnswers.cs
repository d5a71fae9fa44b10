using System.Globalization;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Forwarding;

/// <summary>A forwarder's own answers to its local clients: as RFC 9457 has them.</summary>
internal static class ForwardAnswers
{
    private const int Soon = 1; // seconds

    public static Task WrongHostAsync(HttpContext http) => WriteAsync(
        http, StatusCodes.Status403Forbidden, "forward_wrong_host", "This name does not lead here.", "Use http://127.0.0.1, [::1] or localhost, with the port of the forwarder.");

    public static Task ForeignPageAsync(HttpContext http) => WriteAsync(
        http, StatusCodes.Status403Forbidden, "forward_origin_refused", "Pages of other sites may not use the forwarder.", "Open the page through the forwarder itself.");

    public static Task TokenRequiredAsync(HttpContext http) => WriteAsync(
        http, StatusCodes.Status403Forbidden, "forward_token_required", "The forwarder wants its token.", "Send it in Authorization: Bearer, or in Proxy-Authorization: Bearer.");

    public static Task NotForwardedAsync(HttpContext http) => WriteAsync(
        http, StatusCodes.Status404NotFound, "forward_no_such_path", "The forwarder does not forward this.", "It forwards what is below the path of its target, and none of the gateway's own paths.");

    /// <summary>The device is not let in yet: the same request succeeds once an operator has decided.</summary>
    public static Task PairingAsync(HttpContext http, GateProblem problem) => WriteAsync(
        http, StatusCodes.Status503ServiceUnavailable, problem.Code, problem.Title, problem.Detail, problem.RetryAfter ?? TimeSpan.FromSeconds(Soon), problem.RequestId);

    /// <summary>The request could not be sent again by itself.</summary>
    public static Task AgainAsync(HttpContext http) => WriteAsync(
        http, StatusCodes.Status503ServiceUnavailable, "forward_try_again", "The gateway has new keys.", "Send the request again.", TimeSpan.FromSeconds(Soon));

    /// <summary>Nothing answers.</summary>
    public static Task UnreachableAsync(HttpContext http, string why) => WriteAsync(
        http, StatusCodes.Status503ServiceUnavailable, "forward_unreachable", "The gateway cannot be reached.", why, TimeSpan.FromSeconds(Soon));

    private static async Task WriteAsync(HttpContext http, int status, string code, string title, string detail, TimeSpan? retryAfter = null, string? requestId = null)
    {
        HttpResponse response = http.Response;
        response.StatusCode = status;
        response.ContentType = "application/problem+json";
        response.Headers.CacheControl = "no-store";
        if (retryAfter is { } wait)
            response.Headers.RetryAfter = ((int)wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        var problem = new ForwardProblem("urn:proxygateway:problem:" + code.Replace('_', '-'), title, status, detail, code, requestId, retryAfter is not null);
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(problem, ForwardJsonContext.Default.ForwardProblem);
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, http.RequestAborted);
    }
}
