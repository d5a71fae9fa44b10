using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// The handshake for backends of any protocol: each request carries a proof of the device's key. It is decided before the backend hears of the request, and
/// without reading its body.
/// </summary>
internal sealed class ProofHandshake(ProofVerifier verifier, IDeviceAuthSettings settings, TimeProvider time) : IDeviceHandshake
{
    private static readonly string[] OfDevices = [ProofNames.ProofHeader, ProofNames.SessionHeader, ProofNames.NonceHeader];
    private static readonly string[] OfDPoP = [.. OfDevices, ProofNames.DPoP, ProofNames.DPoPNonceHeader];

    public IReadOnlyCollection<string> RequestHeaders => OfDevices;

    public bool TakesHttpRequests => true;

    public IReadOnlyCollection<string> RequestHeadersOf(IReadOnlyDictionary<string, string>? metadata) =>
        metadata?.GetValueOrDefault(DeviceAuthDefaults.ProofHeaderMetadata) == ProofNames.DPoP ? OfDPoP : OfDevices;

    public async Task InvokeAsync(HandshakeRequest request)
    {
        HttpContext http = request.Http;
        if (!request.IsUpgrade && CrossOrigin.IsPreflight(http.Request))
        {
            CrossOrigin.AnswerPreflight(http);
            return;
        }

        ProofRoute route = ProofRoute.Of(http.GetRouteModel().Config);
        PresentedProof presented = PresentedProof.Find(http.Request.Headers, route, request.IsUpgrade);
        var answering = new ProofAnswering(http, route, presented.IsSubprotocol, verifier, time);
        answering.SetNonce(isFresh: false);
        await verifier.RenewAsync(http.RequestAborted);
        try
        {
            await AnswerAsync(request, route, presented, answering);
        }
        catch (RegistryUnavailableException)
        {
            await answering.WriteAsync(ProofAnswers.RegistryUnavailable);
        }
    }

    private async Task AnswerAsync(HandshakeRequest request, ProofRoute route, PresentedProof presented, ProofAnswering answering)
    {
        if (presented is { Text: null, Fault: null })
        {
            await answering.WriteAsync(ProofAnswers.ProofRequired(route));
            return;
        }

        DeviceAuthOptions options = settings.Current;
        string path = ProofUrl.PathOfTarget(request.Http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        await Task.Yield(); // leaves the event loop, where this work would delay other connections
        ProofExamination found = presented.Text is { } text
            ? await verifier.VerifyAsync(text, TargetOf(request, route, path), options.PublicOrigins, ProofNonce.LifeOf(options), request.Http.RequestAborted)
            : new ProofExamination(Proof: null, presented.Fault, ClockOffset: null);
        if (found.Proof is not { } proof)
        {
            // A stale nonce is no failure: a device that was silent for two minutes has one.
            if (found.Fault != ProofFault.NonceRequired)
                await request.RefuseAsync(found.Fault!.Closing.Reason);
            await answering.WriteAsync(ProofAnswers.Invalid(found, ProofUrl.Expected(request.Http, path, options.PublicOrigins)));
            return;
        }

        await DecideAsync(request, route, proof, answering);
    }

    private async Task DecideAsync(HandshakeRequest request, ProofRoute route, VerifiedProof proof, ProofAnswering answering)
    {
        DeviceClaim claim = proof.Claim;
        DeviceAuthOptions options = settings.Current;
        if (!options.Policy.Implications.Covers(claim.Role, claim.Scopes, route.Scopes))
        {
            request.Decline(claim, Closing.InsufficientScope);
            await answering.WriteAsync(ProofAnswers.InsufficientScope(claim, route));
            return;
        }

        request.AuthenticationType = DeviceProofDefaults.AuthenticationScheme;
        TimeSpan life = ProofNonce.LifeOf(options);
        Admission admission = await request.DecideAsync(claim, sharedToken: null, ProofNonce.OnceOf(proof.Id, life));
        if (admission is not Admission.Admitted)
        {
            await answering.WriteAsync(ProofAnswers.Refused(claim, admission));
            return;
        }

        answering.SetNonce(isFresh: proof.NonceAge <= life / 2);
        answering.PrepareForwarding();
        if (!await request.ForwardAsync() && !request.Http.RequestAborted.IsCancellationRequested)
            await answering.WriteAsync(ProofAnswers.EndedMeanwhile(claim, request.Closing ?? Closing.RegistryUnavailable));
    }

    private static ProofTarget TargetOf(HandshakeRequest request, ProofRoute route, string path) =>
        new(request.IsUpgrade ? HttpMethods.Get : request.Http.Request.Method, path, route.IsDPoP ? TokenHashOf(request.Http.Request) : null, route.Role, route.Scopes);

    // RFC 9449 §4.3, 12: the token that comes with the proof is the backend's own.
    internal static string? TokenHashOf(HttpRequest request)
    {
        const string scheme = ProofNames.DPoP + " ";
        return request.Headers.Authorization is [{ } value] && value.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)
            ? Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(value[scheme.Length..].Trim(' '))))
            : null;
    }
}
