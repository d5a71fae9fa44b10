using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace ProxyGateway.DeviceAuth.Admin.Page;

/// <summary>
/// <c>/</c> and <c>/page/*</c>: the operators' page. It is the same for everybody and holds no secret, so it needs no key; the page itself
/// asks for one and uses the same endpoints as every other client. Each file has its own route: any other path is unknown.
/// </summary>
internal static class PageEndpoints
{
    /// <summary>
    /// The page shows texts that devices choose. If one of them ever became markup, this policy loads nothing that it names, runs nothing
    /// inline, and turns no string into script. No other page may frame this one and trick an operator into clicking.
    /// </summary>
    internal const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    public static void Map(IEndpointRouteBuilder endpoints)
    {
        foreach (PageFile file in PageFile.All)
        {
            string path = file.Name == PageFile.Start ? "/" : "/page/" + file.Name;
            endpoints.MapMethods(path, Methods, (HttpContext context) => Serve(context, file))
                .AllowAnonymous().DisableRateLimiting().ExcludeFromDescription();
        }
    }

    private static IResult Serve(HttpContext context, PageFile file)
    {
        if (file.Name == PageFile.Start && LiteralAddress(context) is { } address)
            return TypedResults.Redirect(address);

        IHeaderDictionary headers = context.Response.Headers;
        headers.ContentSecurityPolicy = ContentSecurityPolicy;
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        return TypedResults.Bytes(file.Content, file.ContentType);
    }

    // The page sends the key only to the literal address (ProvenAddress). The port is the browser's: with a tunnel it may differ, and then
    // the page says so.
    private static string? LiteralAddress(HttpContext context)
    {
        HostString host = context.Request.Host;
        return context.Request.IsHttps || context.Connection.LocalIpAddress is not { } address || IPAddress.TryParse(host.Host.AsSpan().Trim("[]"), out _)
            ? null
            : $"http://{ProvenAddress.Of(new IPEndPoint(address, host.Port ?? 80))}/";
    }
}
