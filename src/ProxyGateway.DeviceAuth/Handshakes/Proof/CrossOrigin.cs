using System.Collections.Immutable;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// CORS (Fetch, §3.2) for pages of allowed origins. Preflights have no proof, so the gate answers them itself: the backend hears of nobody who is not admitted.
/// </summary>
internal static class CrossOrigin
{
    private const string Exposed = $"{ProofNames.NonceHeader}, {ProofNames.DPoPNonceHeader}, WWW-Authenticate, Retry-After";
    private const string Allowed = $"{ProofNames.ProofHeader}, {ProofNames.SessionHeader}";
    private const int MaxListLength = 1024;
    private const string MaxAge = "600"; // seconds

    /// <summary>Whether a browser asks before a page's request.</summary>
    public static bool IsPreflight(HttpRequest request) =>
        HttpMethods.IsOptions(request.Method) && request.Headers.Origin.Count == 1 && request.Headers.AccessControlRequestMethod.Count == 1;

    /// <summary>Answers a preflight of an allowed origin: the page may send what it asks for, since every request is checked.</summary>
    public static void AnswerPreflight(HttpContext http)
    {
        IHeaderDictionary headers = http.Response.Headers;
        string method = http.Request.Headers.AccessControlRequestMethod.ToString();
        string asked = http.Request.Headers.AccessControlRequestHeaders.ToString();
        http.Response.StatusCode = StatusCodes.Status204NoContent;
        if (IsList(method))
            headers.AccessControlAllowMethods = method;
        headers.AccessControlAllowHeaders = asked.Length > 0 && IsList(asked) ? $"{Allowed}, {asked}" : Allowed;
        headers.AccessControlMaxAge = MaxAge;
    }

    /// <summary>Lets a page of an allowed origin read the answer, unless the backend has said which pages may.</summary>
    public static void Allow(HttpContext http, ImmutableArray<string> allowedOrigins)
    {
        if (http.Request.Headers.Origin.Count == 1 && OriginCheck.Allows(http.Request, allowedOrigins))
            http.Response.OnStarting(static state => AllowAsync((HttpContext)state), http);
    }

    private static Task AllowAsync(HttpContext http)
    {
        IHeaderDictionary headers = http.Response.Headers;
        if (headers.AccessControlAllowOrigin.Count == 0)
        {
            headers.AccessControlAllowOrigin = http.Request.Headers.Origin;
            headers.Append("Vary", "Origin");
        }

        headers.AccessControlExposeHeaders = StringValues.Concat(headers.AccessControlExposeHeaders, Exposed);
        return Task.CompletedTask;
    }

    private static bool IsList(string text) =>
        text.Length <= MaxListLength && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or ',' or ' ' or '.' or '!' or '#' or '$' or '&' or '^' or '~' or '*');
}
