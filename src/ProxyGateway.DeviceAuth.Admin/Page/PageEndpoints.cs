using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace ProxyGateway.DeviceAuth.Admin.Page;

/// <summary>
/// <c>/</c> and <c>/page/*</c>: the operators' page. It is the same for everybody and holds no secret, so that it needs no key; it asks for one,
/// and uses the endpoints that every other client uses. Each file is a route of its own: what is not there is as unknown as any other path.
/// </summary>
internal static class PageEndpoints
{
    /// <summary>
    /// The page shows what devices say of themselves. Should any of that ever become markup, then nothing that it names is loaded, nothing
    /// inline runs, and no string can be turned into script. Nobody may put the page into a frame and have an operator click blindly.
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

    // The page sends the key only to the literal address (ProvenAddress). The port is the browser's: a tunnel may have another one, and says so there.
    private static string? LiteralAddress(HttpContext context)
    {
        HostString host = context.Request.Host;
        return context.Request.IsHttps || context.Connection.LocalIpAddress is not { } address || IPAddress.TryParse(host.Host.AsSpan().Trim("[]"), out _)
            ? null
            : $"http://{ProvenAddress.Of(new IPEndPoint(address, host.Port ?? 80))}/";
    }
}
