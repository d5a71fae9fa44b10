using System.Collections.Immutable;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// The proof as an authentication scheme of ASP.NET Core, for applications that answer devices themselves. It checks, decides and answers as the handshake does
/// before a proxy; the application's authorization comes after it.
/// </summary>
internal sealed class DeviceProofHandler(
    IOptionsMonitor<DeviceProofOptions> options, ILoggerFactory loggers, UrlEncoder encoder, ProofVerifier verifier, AdmissionDesk desk, IDeviceAuthSettings settings,
    ClientHistory history, HandshakeBudgets budgets, LoopbackPeers peers, Draining draining, HandshakeMetrics metrics)
    : AuthenticationHandler<DeviceProofOptions>(options, loggers, encoder)
{
    private ProofRoute _route = null!;
    private ProofAnswering _answering = null!;
    private ProofAnswer? _answer; // null once the device is admitted
    private HandshakeTrace? _trace;

    protected override Task InitializeHandlerAsync()
    {
        _route = new ProofRoute(Options.Role, Options.Scopes, Options.UseStandardHeader);
        return Task.CompletedTask;
    }

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        _trace = metrics.IsHeard ? metrics.Begin(TagNames.None, Scheme.Name, Options.Audience.ToString()) : null;
        HandshakeOutcome outcome = HandshakeOutcome.Failed;
        try
        {
            AuthenticateResult result = await CheckAsync();
            outcome = result.Succeeded ? HandshakeOutcome.Admitted : HandshakeOutcome.Answered;
            return result;
        }
        finally
        {
            _trace?.Complete(Context.RequestAborted.IsCancellationRequested && outcome == HandshakeOutcome.Failed ? HandshakeOutcome.ClientLeft : outcome);
        }
    }

    private async Task<AuthenticateResult> CheckAsync()
    {
        bool isUpgrade = WebSocketUpgrade.Classify(Context) == UpgradeKind.WebSocket;
        PresentedProof presented = PresentedProof.Find(Request.Headers, _route, isUpgrade);
        _answering = new ProofAnswering(Context, _route, presented.IsSubprotocol, verifier, desk.Time);
        _answering.SetNonce(isFresh: false);
        await verifier.RenewAsync(Context.RequestAborted);
        if (presented is { Text: null, Fault: null })
        {
            _trace?.Note(HandshakeOutcome.ProofRequired);
            _answer = ProofAnswers.ProofRequired(_route);
            return AuthenticateResult.NoResult();
        }

        try
        {
            _answer = await AdmitAsync(presented, isUpgrade);
        }
        catch (RegistryUnavailableException)
        {
            _trace?.Note(HandshakeOutcome.RegistryUnavailable);
            _answer = ProofAnswers.RegistryUnavailable;
        }

        return _answer is null && Context.Features.Get<IDeviceFeature>() is { } device
            ? AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(DeviceFeature.IdentityOf(device.Claim, Scheme.Name)), Scheme.Name))
            : AuthenticateResult.Fail((_answer ??= ProofAnswers.InternalError).Title);
    }

    protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        await HandleAuthenticateOnceSafeAsync();
        await _answering.WriteAsync(_answer ?? ProofAnswers.Forbidden);
    }

    protected override async Task HandleForbiddenAsync(AuthenticationProperties properties)
    {
        await HandleAuthenticateOnceSafeAsync();
        await _answering.WriteAsync(_answer ?? ProofAnswers.Forbidden);
    }

    /// <summary>Null if the device is admitted.</summary>
    private async Task<ProofAnswer?> AdmitAsync(PresentedProof presented, bool isUpgrade)
    {
        if (draining.IsUnderWay)
            return Refuse(HandshakeOutcome.GatewayRestarting, ProofAnswers.Restarting);
        DeviceAuthOptions inForce = settings.Current;
        ImmutableArray<string> listed = [.. inForce.RequestHeaders, _route.ProofHeader];
        if (LocalityReader.Read(Context, inForce.TrustedProxies, listed, peers, out _) is not { } origin)
            return Refuse(HandshakeOutcome.ClientLeft, ProofAnswers.Busy);
        Client client = Client.Of(origin, Request, inForce);
        if (!history.TryBegin(client, inForce.Limits.HandshakesPerSecondPerAddress))
            return Refuse(HandshakeOutcome.OverRate, ProofAnswers.TooMany);
        if (!OriginCheck.Allows(Request, inForce.AllowedOrigins))
            return Refuse(HandshakeOutcome.OriginRefused, ProofAnswers.OriginRefused);
        BudgetScope exhausted = budgets.TryTake(client, history.FamiliarityOf(client), Scheme.Name, inForce.Limits, out HandshakePlace place);
        if (exhausted != BudgetScope.None)
            return Refuse(HandshakeOutcomes.Of(exhausted), exhausted is BudgetScope.Address or BudgetScope.Rate ? ProofAnswers.TooMany : ProofAnswers.Busy);

        using (place)
            return await AdmitAsync(new HandshakeContext(Context, origin, inForce, Options.Audience, place) { Trace = _trace }, presented, isUpgrade);
    }

    private ProofAnswer Refuse(HandshakeOutcome outcome, ProofAnswer answer)
    {
        _trace?.Note(outcome);
        return answer;
    }

    private async Task<ProofAnswer?> AdmitAsync(HandshakeContext handshake, PresentedProof presented, bool isUpgrade)
    {
        DeviceAuthOptions inForce = handshake.Options;
        TimeSpan life = ProofNonce.LifeOf(inForce);
        string path = ProofUrl.PathOfTarget(Context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        var target = new ProofTarget(
            isUpgrade ? HttpMethods.Get : Request.Method, path, _route.IsDPoP ? ProofHandshake.TokenHashOf(Request) : null, _route.Role, _route.Scopes);
        await Task.Yield(); // leaves the event loop, where this work would delay other connections
        ProofExamination found;
        using (_trace?.Begin(HandshakeStep.Proof))
        {
            found = presented.Text is { } text
                ? await verifier.VerifyAsync(text, target, inForce.PublicOrigins, life, Context.RequestAborted)
                : new ProofExamination(Proof: null, presented.Fault, ClockOffset: null);
        }

        if (found.Proof is not { } proof)
        {
            if (found.Fault == ProofFault.NonceRequired)
                _trace?.Note(HandshakeOutcome.NonceRequired);
            else
                await desk.HoldBackAsync(handshake, desk.Refuse(handshake, found.Fault!.Closing.Reason));
            return ProofAnswers.Invalid(found, ProofUrl.Expected(Context, path, inForce.PublicOrigins));
        }

        DeviceClaim claim = proof.Claim;
        if (!inForce.Policy.Implications.Covers(claim.Role, claim.Scopes, _route.Scopes))
        {
            desk.Decline(handshake, claim, WebSockets.Closing.InsufficientScope);
            return ProofAnswers.InsufficientScope(claim, _route);
        }

        (Admission admission, DeviceSession? session) = await desk.DecideAsync(handshake, AdmissionDesk.Check(claim), sharedToken: null, ProofNonce.OnceOf(proof.Id, life), isPlain: !isUpgrade);
        if (admission is Admission.Unauthorized)
            await desk.HoldBackAsync(handshake, desk.Fail(handshake));
        if (session is null || admission is not Admission.Admitted admitted)
            return ProofAnswers.Refused(claim, admission);
        Context.Response.RegisterForDispose(new ProvenRequest(handshake, session, desk, wasPaired: admitted.Rule is null));
        DeviceFeature.Set(Context, session, Scheme.Name);
        _answering.SetNonce(isFresh: proof.NonceAge <= life / 2);
        _answering.PrepareForwarding();
        return null;
    }
}
