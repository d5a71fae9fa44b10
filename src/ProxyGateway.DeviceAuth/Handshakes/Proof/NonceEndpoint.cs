using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>Gives nonces to clients that cannot try twice: pages' WebSockets, and uploads whose body is sent once.</summary>
internal sealed class NonceEndpoint(ProofVerifier verifier) : IReservedEndpoint
{
    public string Name => "nonce";

    public string Method => HttpMethods.Get;

    public Task AnswerAsync(HttpContext http)
    {
        string nonce;
        try
        {
            nonce = verifier.IssueNonce();
        }
        catch (RegistryUnavailableException)
        {
            return ProofResponse.WriteAsync(http, ProofAnswers.RegistryUnavailable, ProofNames.Scheme);
        }

        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers[ProofNames.NonceHeader] = nonce;
        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync($$"""{"nonce":"{{nonce}}"}""", http.RequestAborted);
    }
}
