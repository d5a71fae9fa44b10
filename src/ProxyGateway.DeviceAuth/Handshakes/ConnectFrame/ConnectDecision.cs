using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using Yarp.ReverseProxy.Model;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>Verifies <c>connect</c> requests and has them decided; counts a client's failures.</summary>
internal sealed class ConnectDecision(
    AdmissionDesk desk, Gatekeeper gatekeeper, DevicelessGatekeeper deviceless, PairingWaits waits, Draining draining, IDeviceAuthSettings settings,
    TimeProvider time, HandshakeLog log) : IDisposable
{
    private readonly ProofVerificationLimiter _proofs = new();

    /// <summary>Verifies and decides the client's request. There is a session if, and only if, there is no refusal.</summary>
    /// <param name="handshake">The handshake.</param>
    /// <param name="message">The client's first message.</param>
    /// <param name="nonce">The nonce of the challenge that was relayed to it.</param>
    /// <exception cref="OperationCanceledException">The client's connection is gone.</exception>
    public async ValueTask<ConnectOutcome> DecideAsync(HandshakeContext handshake, ReadOnlyMemory<byte> message, string nonce)
    {
        CancellationToken aborted = handshake.Http.RequestAborted;
        TimeSpan timeout = handshake.Options.HandshakeTimeout;
        handshake.Place.Speak();
        long came = time.GetTimestamp();
        Examination found;
        using (handshake.Trace?.Begin(HandshakeStep.Proof))
            found = await _proofs.ExamineAsync(message, nonce, time.GetUtcNow(), settings.Current.SignatureSkew, aborted);
        if (found.Request is not { } request)
            return new ConnectOutcome(RequestId: "", Refuse(handshake, found.Malformed!));
        if (time.GetElapsedTime(came) > timeout)
        {
            // It had to wait so long for its turn that it may have given up.
            gatekeeper.PutOff(handshake.Audience, found.Claim, handshake.Origin, handshake.Options);
            return new ConnectOutcome(request.Id, Answers.TryAgainLater(request.Id));
        }

        if (found.Failure == ProofFailure.IdentityRequired && settings.Current.Policy.Deviceless is not null)
            return DecideWithoutDevice(handshake, request);
        if (found.Failure != ProofFailure.None)
            return new ConnectOutcome(request.Id, Refuse(handshake, Answers.ProofFailed(request.Id, found.Failure)));

        DeviceClaim claim = found.Claim! with { Audience = handshake.Audience };
        (Admission admission, DeviceSession? session) = await desk.DecideAsync(handshake, claim, request.SharedToken);
        if (session is not null)
            return new ConnectOutcome(request.Id, Refusal: null, session, WasPaired: admission is Admission.Admitted { Rule: null });
        if (request.CanWait && admission is Admission.Refused { Request: { Status: PairingRequestStatus.Open } open })
            return new ConnectOutcome(request.Id, RefuseWaiting(handshake, request.Id, claim, admission, open.Id));
        Refusal refusal = Answers.Refused(request.Id, claim, admission);
        return new ConnectOutcome(request.Id, admission is Admission.Unauthorized ? Delayed(handshake, refusal) : refusal);
    }

    /// <summary>Refuses a client that violated the WebSocket protocol, or that of the handshake.</summary>
    public Refusal Violated(HandshakeContext handshake, Closing closing) => Refuse(handshake, new Refusal(closing));

    /// <summary>Refuses a client that took too long, or was evicted, or because the gateway stops.</summary>
    public Refusal TimedOut(HandshakeContext handshake)
    {
        if (draining.IsUnderWay)
            return new Refusal(Closing.Restarting);
        if (!handshake.Place.GivesWay.IsCancellationRequested)
            return Refuse(handshake, new Refusal(Closing.HandshakeTimeout));
        log.GaveWay(handshake);
        gatekeeper.Refused(Closing.TryAgainLater, handshake.Audience, claim: null, handshake.Origin, handshake.Options);
        return new Refusal(Closing.TryAgainLater);
    }

    /// <summary>The backend has accepted the device: its place among the handshakes under way is free.</summary>
    public void Opened(HandshakeContext handshake, ConnectOutcome outcome) => desk.Opened(handshake, outcome.Session!, outcome.WasPaired);

    /// <inheritdoc/>
    public void Dispose() => _proofs.Dispose();

    private ConnectOutcome DecideWithoutDevice(HandshakeContext handshake, ConnectRequest request)
    {
        if (draining.IsUnderWay)
            return new ConnectOutcome(request.Id, Answers.Restarting(request.Id));
        (DevicelessSession? session, Closing? closing) = deviceless.Decide(
            inForce => new DevicelessAsk(
                handshake.Audience,
                request.Role,
                ScopeSet.Of(request.Scopes),
                request.Describe(),
                ShowsSharedToken: AdmissionDesk.ShowsSharedToken(request.SharedToken, inForce),
                ActsForAnother: request.TrustedBrokerProfileId is not null),
            handshake.Origin,
            handshake.Options);
        if (closing == Closing.IdentityRequired)
            return new ConnectOutcome(request.Id, Delayed(handshake, Answers.ProofFailed(request.Id, ProofFailure.IdentityRequired)));
        if (closing is not null)
            return new ConnectOutcome(request.Id, Answers.TryAgainLater(request.Id));
        if (draining.IsUnderWay)
            session!.Close(Closing.Restarting); // the others may have been closed before this one was entered
        return new ConnectOutcome(request.Id, Refusal: null, session);
    }

    /// <summary>The client may keep its connection until the request is resolved, if there is a place for it.</summary>
    private Refusal RefuseWaiting(HandshakeContext handshake, string id, DeviceClaim claim, Admission admission, RequestId open)
    {
        RouteModel? route = handshake.Http.GetEndpoint()?.Metadata.GetMetadata<RouteModel>();
        PairingWait? wait = waits.TryEnter(claim, open, handshake.Place.Client, route);
        if (wait is null)
            log.NoPlaceToWait(handshake);
        try
        {
            return Answers.Refused(id, claim, admission, waits: wait is not null) with { Wait = wait };
        }
        catch
        {
            wait?.Dispose();
            throw;
        }
    }

    private Refusal Refuse(HandshakeContext handshake, Refusal refusal)
    {
        log.Refused(handshake, refusal.Closing);
        gatekeeper.Refused(refusal.Closing, handshake.Audience, claim: null, handshake.Origin, handshake.Options);
        return Delayed(handshake, refusal);
    }

    private Refusal Delayed(HandshakeContext handshake, Refusal refusal) =>
        refusal with { Delay = desk.Fail(handshake) };
}
