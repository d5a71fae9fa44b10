using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>Gives nonces to clients that cannot try twice: pages' WebSockets, and uploads whose body is sent once.</summary>
internal sealed class NonceEndpoint(ProofVerifier verifier) : IReservedEndpoint
{
    public string Name => "nonce";

    public string Method => HttpMethods.Get;

    public async Task AnswerAsync(HttpContext http, ClaimOrigin origin)
    {
        await verifier.RenewAsync(http.RequestAborted);
        string nonce;
        try
        {
            nonce = verifier.IssueNonce();
        }
        catch (RegistryUnavailableException)
        {
            await ProofResponse.WriteAsync(http, ProofAnswers.RegistryUnavailable, ProofNames.Scheme);
            return;
        }

        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers[ProofNames.NonceHeader] = nonce;
        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync($$"""{"nonce":"{{nonce}}"}""", http.RequestAborted);
    }
}
