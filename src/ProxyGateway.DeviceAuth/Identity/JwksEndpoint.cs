using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>The keys of assertions, for backends that verify them.</summary>
internal sealed class JwksEndpoint(IDeviceAssertionKeys keys) : IReservedEndpoint
{
    public string Name => "jwks.json";

    public string Method => HttpMethods.Get;

    public async Task AnswerAsync(HttpContext http, ClaimOrigin origin)
    {
        ReadOnlyMemory<byte> jwks;
        try
        {
            jwks = await keys.GetJwksAsync(http.RequestAborted);
        }
        catch (RegistryUnavailableException)
        {
            await Problems.BackendUnavailable(http);
            return;
        }

        http.Response.ContentType = "application/jwk-set+json";
        http.Response.Headers.CacheControl = "public, max-age=15"; // shorter than the notice of a key
        http.Response.ContentLength = jwks.Length;
        if (!HttpMethods.IsHead(http.Request.Method))
            await http.Response.BodyWriter.WriteAsync(jwks, http.RequestAborted);
    }
}
