using System.Buffers.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using ProxyGateway.DeviceAuth.Admin.OpenApi;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// <c>/admin/v1/proof</c>: the gateway proves that it knows a key before a client sends the key. A client that does not know the key gets
/// the same answer as without any key, and learns nothing.
/// </summary>
internal static class ProofEndpoints
{
    private const string Wanted = "The body is {\"nonce\":\"...\",\"proof\":\"...\"}, each 32 bytes as base64url.";
    private const string Where = "A key is proved only at the address and port at which the gateway listens, as in http://127.0.0.1:9090: not by a name, nor through another port.";
    private const int MaxBytes = 1024;

    public static void Map(RouteGroupBuilder admin) => admin.MapPost("/proof", ProveAsync).AllowAnonymous().DisableRateLimiting()
        .WithTags("me").Describe("proveKey", "Shows that the gateway knows a key, to a client that does")
        .TakesBody<ProofBody>().Produces<ProofView>().Fails(AdminProblems.Unauthorized, AdminProblems.HostRefused, AdminProblems.TooManyRequests);

    private static async Task<IResult> ProveAsync(HttpContext context, AdminKeyRing keys, KeyRefusals refusals)
    {
        if (ProvenAddress.Of(context) is not { } address)
            return AdminProblems.HostRefused with { Detail = Where };
        (AdminProblem? wrong, ProofBody? body) = await JsonBody.ReadAsync(context.Request, AdminInputContext.Default.ProofBody, Wanted, MaxBytes);
        if (wrong is not null)
            return wrong;
        if (!KeyProof.TryParse(body!.Nonce, out _) || !KeyProof.TryParse(body.Proof, out byte[]? proof))
            return AdminProblems.InvalidRequest with { Detail = Wanted };

        if (keys.FindByProof(proof, address, body.Nonce) is { } key)
        {
            byte[] answer = KeyProof.OfGateway(key.Options.Sha256.AsSpan(), address, body.Nonce);
            return TypedResults.Json(new ProofView(Base64Url.EncodeToString(answer)), AdminJsonContext.Default.ProofView);
        }

        await refusals.AnswerAsync(context);
        return TypedResults.Empty;
    }
}
