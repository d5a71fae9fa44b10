using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using ProxyGateway.DeviceAuth.Identity;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The public keys of assertions, which backends may fetch here as well as on the data port. No key is needed.</summary>
internal static class JwksEndpoints
{
    private const string ContentType = "application/jwk-set+json";

    public static void Map(IEndpointRouteBuilder endpoints) =>
        endpoints.MapGet("/.well-known/proxygateway/jwks.json", GetAsync).AllowAnonymous().DisableRateLimiting()
            .ExcludeFromDescription(); // it is for backends; RFC 7517 describes it

    private static async Task<IResult> GetAsync(HttpContext context, IDeviceAssertionKeys keys)
    {
        try
        {
            return TypedResults.Bytes((await keys.GetJwksAsync(context.RequestAborted)).ToArray(), ContentType);
        }
        catch (RegistryUnavailableException)
        {
            context.Response.Headers.RetryAfter = "1"; // as for /readyz: no line of the log for each request of a stranger
            return AdminProblems.RegistryUnavailable;
        }
    }
}
