using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// The handshake for backends of any protocol: each request carries a proof of the device's key. It is decided before the backend hears of the request, and
/// without reading its body.
/// </summary>
internal sealed class ProofHandshake(ProofVerifier verifier, SessionTokens tokens, IDeviceAuthSettings settings, TimeProvider time) : IDeviceHandshake
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
            request.Handshake.Trace?.Note(HandshakeOutcome.Preflight);
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
            request.Handshake.Trace?.Note(HandshakeOutcome.RegistryUnavailable);
            await answering.WriteAsync(ProofAnswers.RegistryUnavailable);
        }
    }

    private async Task AnswerAsync(HandshakeRequest request, ProofRoute route, PresentedProof presented, ProofAnswering answering)
    {
        bool isProved = presented is not { Text: null, Fault: null };
        StringValues lines = route.TakesSessionTokens ? request.Http.Request.Headers[ProofNames.SessionHeader] : default;
        if (!isProved && lines.Count == 0)
        {
            request.Handshake.Trace?.Note(HandshakeOutcome.ProofRequired);
            await answering.WriteAsync(ProofAnswers.ProofRequired(route));
            return;
        }

        await Task.Yield(); // leaves the event loop, where this work would delay other connections
        SessionToken? token = null;
        if (lines.Count > 0)
        {
            (token, SessionTokenFault? fault) = await tokens.OpenAsync(lines, request.Audience, request.Http.RequestAborted);
            if (token is null)
            {
                request.Handshake.Trace?.Note(HandshakeOutcome.SessionTokenInvalid);

                // No failure either, if it is old or forged: after a restart on a file nobody can tell these apart.
                await answering.WriteAsync(ProofAnswers.Invalid(fault!));
                return;
            }
        }

        if (isProved)
            await VerifyAsync(request, route, presented, token, answering);
        else
            await DecideAsync(request, route, token!.Claim, once: null, isFresh: token.Age <= SessionTokens.Life / 2, answering);
    }

    private async Task VerifyAsync(HandshakeRequest request, ProofRoute route, PresentedProof presented, SessionToken? token, ProofAnswering answering)
    {
        DeviceAuthOptions options = settings.Current;
        TimeSpan life = ProofNonce.LifeOf(options);
        string path = ProofUrl.PathOfTarget(request.Http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        ProofExamination found = new(Proof: null, presented.Fault, ClockOffset: null);
        if (presented.Text is { } text)
        {
            using HandshakeTrace.Part? part = request.Handshake.Trace?.Begin(HandshakeStep.Proof);
            found = await verifier.VerifyAsync(text, TargetOf(request, route, token, path), options.PublicOrigins, life, request.Http.RequestAborted);
        }

        if (found.Proof is not { } proof)
        {
            // A stale nonce is no failure: a device that was silent for two minutes has one.
            if (found.Fault == ProofFault.NonceRequired)
                request.Handshake.Trace?.Note(HandshakeOutcome.NonceRequired);
            else
                await request.RefuseAsync(found.Fault!.Closing.Reason);
            await answering.WriteAsync(ProofAnswers.Invalid(found, ProofUrl.Expected(request.Http, path, options.PublicOrigins)));
            return;
        }

        DeviceClaim claim = proof.Claim;
        if (token is not null)
        {
            if (Exceeds(claim, token.Claim, options) is { } fault)
            {
                request.Decline(claim, Closing.SessionTokenInvalid);
                await answering.WriteAsync(ProofAnswers.Invalid(fault));
                return;
            }

            claim = claim with { RecordVersion = token.Claim.RecordVersion };
        }

        await DecideAsync(request, route, claim, ProofNonce.OnceOf(proof.Id, life), isFresh: proof.NonceAge <= life / 2, answering);
    }

    private async Task DecideAsync(HandshakeRequest request, ProofRoute route, DeviceClaim claim, UseOnce? once, bool isFresh, ProofAnswering answering)
    {
        if (!settings.Current.Policy.Implications.Covers(claim.Role, claim.Scopes, route.Scopes))
        {
            request.Decline(claim, Closing.InsufficientScope);
            await answering.WriteAsync(ProofAnswers.InsufficientScope(claim, route));
            return;
        }

        request.AuthenticationType = DeviceProofDefaults.AuthenticationScheme;
        Admission admission = await request.DecideAsync(claim, sharedToken: null, once);
        if (admission is not Admission.Admitted)
        {
            await answering.WriteAsync(ProofAnswers.Refused(claim, admission));
            return;
        }

        answering.SetNonce(isFresh);
        answering.PrepareForwarding();
        if (!await request.ForwardAsync() && !request.Http.RequestAborted.IsCancellationRequested)
            await answering.WriteAsync(ProofAnswers.EndedMeanwhile(claim, request.Closing ?? Closing.RegistryUnavailable));
    }

    // With both, neither gives more than the other: the proof may ask for a part of what the token is for.
    private static SessionTokenFault? Exceeds(DeviceClaim proved, DeviceClaim held, DeviceAuthOptions options)
    {
        if (proved.Device != held.Device)
            return SessionTokenFault.OtherDevice;
        return proved.Role == held.Role && options.Policy.Implications.Covers(held.Role, held.Scopes, proved.Scopes) ? null : SessionTokenFault.Narrower;
    }

    private static ProofTarget TargetOf(HandshakeRequest request, ProofRoute route, SessionToken? token, string path)
    {
        HttpRequest http = request.Http.Request;
        string method = request.IsUpgrade ? HttpMethods.Get : http.Method;
        return token is null
            ? new ProofTarget(method, path, route.IsDPoP ? TokenHashOf(http) : null, route.Role, route.Scopes)
            : new ProofTarget(method, path, HashOf(http.Headers[ProofNames.SessionHeader].ToString()), token.Claim.Role, token.Claim.Scopes) { NeedsTokenHash = true };
    }

    // RFC 9449 §4.3, 12: the token that comes with the proof is the backend's own.
    internal static string? TokenHashOf(HttpRequest request)
    {
        const string scheme = ProofNames.DPoP + " ";
        return request.Headers.Authorization is [{ } value] && value.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)
            ? HashOf(value[scheme.Length..].Trim(' '))
            : null;
    }

    private static string HashOf(string token) => Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
