using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Model;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// Gives a device a session token for a proof, so that a key that signs slowly need not sign each request. The claim is decided as that of any request.
/// </summary>
internal sealed class SessionEndpoint(
    SessionTokens tokens, ProofVerifier verifier, AdmissionDesk desk, IDeviceAuthSettings settings, HandshakeBudgets budgets, ClientHistory history, HandshakeMetrics metrics,
    IServiceProvider services)
    : IReservedEndpoint
{
    private const string Destination = "session tokens"; // in the budgets; no cluster's destination is named without a slash

    public string Name => "session";

    public string Method => HttpMethods.Post;

    public string Handshake => "SessionToken";

    public async Task AnswerAsync(HttpContext http, ClaimOrigin origin)
    {
        DeviceAuthOptions options = settings.Current;
        Client client = Client.Of(origin, http.Request, options);
        BudgetScope exhausted = budgets.TryTake(client, history.FamiliarityOf(client), Destination, options.Limits, out HandshakePlace place);
        if (exhausted != BudgetScope.None)
        {
            metrics.Refused(TagNames.None, Handshake, TagNames.None, HandshakeOutcomes.Of(exhausted));
            await Problems.OverBudget(http, exhausted);
            return;
        }

        using (place)
            await AnswerAsync(http, origin, options, place);
    }

    private async Task AnswerAsync(HttpContext http, ClaimOrigin origin, DeviceAuthOptions options, HandshakePlace place)
    {
        HandshakeTrace? trace = metrics.Begin(TagNames.None, Handshake, TagNames.None);
        HandshakeOutcome outcome = HandshakeOutcome.Failed;
        try
        {
            var asked = new ProofRoute(DeviceAuthDefaults.ProofRole, ScopeSet.Empty, IsDPoP: false);
            PresentedProof presented = PresentedProof.Find(http.Request.Headers, asked, isUpgrade: false);
            var answering = new ProofAnswering(http, asked, isSubprotocol: false, verifier, desk.Time);
            answering.SetNonce(isFresh: false);
            await verifier.RenewAsync(http.RequestAborted);
            try
            {
                ProofAnswer? refusal = await AnswerAsync(http, origin, options, place, presented, answering, trace);
                outcome = refusal is null ? HandshakeOutcome.Admitted : HandshakeOutcome.Answered;
                if (refusal is not null)
                    await answering.WriteAsync(refusal);
            }
            catch (RegistryUnavailableException)
            {
                outcome = HandshakeOutcome.RegistryUnavailable;
                await answering.WriteAsync(ProofAnswers.RegistryUnavailable);
            }
        }
        finally
        {
            trace?.Complete(http.RequestAborted.IsCancellationRequested && outcome == HandshakeOutcome.Failed ? HandshakeOutcome.ClientLeft : outcome);
        }
    }

    /// <summary>Null if the token was sent.</summary>
    private async Task<ProofAnswer?> AnswerAsync(
        HttpContext http, ClaimOrigin origin, DeviceAuthOptions options, HandshakePlace place, PresentedProof presented, ProofAnswering answering, HandshakeTrace? trace)
    {
        if (presented is { Text: null, Fault: null })
        {
            trace?.Note(HandshakeOutcome.ProofRequired);
            return ProofAnswers.ProofRequired(new ProofRoute(DeviceAuthDefaults.ProofRole, ScopeSet.Empty, IsDPoP: false));
        }

        if (!SessionRequest.TryRead(await ReadBodyAsync(http, options, place, trace), out SessionRequest? asked))
        {
            trace?.Note(HandshakeOutcome.HandshakeInvalid);
            return ProofAnswers.InvalidSessionRequest;
        }

        place.Speak();
        ProofRoute? route = Find(asked, options, out string? name);
        if (route is not null)
            trace?.IsFor(name ?? TagNames.None, route.Audience.ToString()); // else the audience is only what the client says
        var handshake = new HandshakeContext(http, origin, options, route?.Audience ?? asked.Audience, place) { Trace = trace };
        TimeSpan life = ProofNonce.LifeOf(options);
        string path = ProofUrl.PathOfTarget(http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        var target = new ProofTarget(Method, path, TokenHash: null, route?.Role ?? DeviceAuthDefaults.ProofRole, route?.Scopes ?? ScopeSet.Empty);
        await Task.Yield(); // leaves the event loop, where this work would delay other connections
        ProofExamination found;
        using (trace?.Begin(HandshakeStep.Proof))
        {
            found = presented.Text is { } text
                ? await verifier.VerifyAsync(text, target, options.PublicOrigins, life, http.RequestAborted)
                : new ProofExamination(Proof: null, presented.Fault, ClockOffset: null);
        }

        if (found.Proof is not { } proof)
        {
            if (found.Fault == ProofFault.NonceRequired)
                trace?.Note(HandshakeOutcome.NonceRequired);
            else
                await desk.HoldBackAsync(handshake, desk.Refuse(handshake, found.Fault!.Closing.Reason));
            return ProofAnswers.Invalid(found, ProofUrl.Expected(http, path, options.PublicOrigins));
        }

        DeviceClaim claim = proof.Claim with { Audience = handshake.Audience };
        if (route is null)
        {
            desk.Decline(handshake, claim, WebSockets.Closing.SessionTokensOff);
            return ProofAnswers.SessionTokensOff;
        }

        (Admission admission, DeviceSession? session) = await desk.DecideAsync(handshake, AdmissionDesk.Check(claim), sharedToken: null, ProofNonce.OnceOf(proof.Id, life), isPlain: true);
        session?.Dispose(); // each request with the token is a session of its own
        if (admission is Admission.Unauthorized)
            await desk.HoldBackAsync(handshake, desk.Fail(handshake));
        if (admission is not Admission.Admitted admitted)
            return ProofAnswers.Refused(claim, admission);
        (string token, DateTimeOffset expiresAt) = tokens.Issue(claim, admitted.Record);
        answering.SetNonce(isFresh: proof.NonceAge <= life / 2);
        await WriteAsync(http, token, expiresAt);
        return null;
    }

    /// <summary>The body, or its beginning if it is longer than a request may be.</summary>
    private async ValueTask<ReadOnlyMemory<byte>> ReadBodyAsync(HttpContext http, DeviceAuthOptions options, HandshakePlace place, HandshakeTrace? trace)
    {
        byte[] buffer = new byte[SessionRequest.MaxSize + 1];
        int length = 0;
        using var deadline = new CancellationTokenSource(options.HandshakeTimeout, desk.Time); // else clients that send slowly, or never, would hold all places
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, place.GivesWay, http.RequestAborted);
        try
        {
            int read;
            while (length < buffer.Length && (read = await http.Request.Body.ReadAsync(buffer.AsMemory(length), either.Token)) > 0)
                length += read;
            return buffer.AsMemory(..length);
        }
        catch (IOException)
        {
            return default; // malformed chunks
        }
        catch (OperationCanceledException)
        {
            trace?.Note(
                http.RequestAborted.IsCancellationRequested ? HandshakeOutcome.ClientLeft
                : place.GivesWay.IsCancellationRequested ? HandshakeOutcome.GaveWay
                : HandshakeOutcome.TimedOut);
            http.Abort();
            return default;
        }
    }

    private ProofRoute? Find(SessionRequest asked, DeviceAuthOptions options, out string? name)
    {
        name = null;
        if (services.GetService<IProxyStateLookup>() is not { } routes)
            return null;
        if (asked.Route is not null)
        {
            if (!routes.TryGetRoute(asked.Route, out RouteModel? found))
                return null;
            name = found.Config.RouteId; // the client may write it in other cases
            return Read(found.Config, options);
        }

        ProofRoute[] all = [.. routes.GetRoutes().Select(route => Read(route.Config, options)).OfType<ProofRoute>().Where(route => route.Audience == asked.Audience)];
        if (all.Length == 0)
            return null;
        bool isOneRole = all.All(route => route.Role == all[0].Role);
        return new ProofRoute(isOneRole ? all[0].Role : DeviceAuthDefaults.ProofRole, ScopeSet.Empty, IsDPoP: false) { Audience = asked.Audience };
    }

    /// <summary>The route, if session tokens are taken there.</summary>
    private static ProofRoute? Read(RouteConfig config, DeviceAuthOptions options)
    {
        string handshake = config.Metadata?.GetValueOrDefault(DeviceAuthDefaults.HandshakeMetadata) ?? options.Handshake;
        return handshake == DeviceAuthDefaults.Proof && ProofRoute.Of(config) is { TakesSessionTokens: true } route ? route : null;
    }

    private static async Task WriteAsync(HttpContext http, string token, DateTimeOffset expiresAt)
    {
        string end = expiresAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        http.Response.Headers.CacheControl = "no-store";
        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync($$"""{"token":"{{token}}","expiresAt":"{{end}}"}""", http.RequestAborted);
    }
}
