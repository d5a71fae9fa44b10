using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>One connection's handshake, apart from its bytes: what is asked of whom, how long that may take, and what is said of it in the log.</summary>
internal sealed partial class ConnectFrameGate(
    HttpContext context,
    ClaimOrigin origin,
    DeviceAuthOptions options,
    IDeviceAuthSettings settings,
    ProofDesk proofs,
    HandshakePlace place,
    Gatekeeper gatekeeper,
    ClientHistory history,
    Draining draining,
    GateMetrics metrics,
    TimeProvider time,
    ILogger logger)
{
    /// <summary>How long a challenge may be.</summary>
    public const int MaxChallengeBytes = 16 * 1024; // it is read on the event loop

    // Long enough for a client that answers at once, and short enough for a client that does not to hear soon of a backend that has left.
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan BackendCloseTimeout = TimeSpan.FromSeconds(2);

    private bool _clientLeft;
    private TimeSpan _penalty;
    private bool _wasPaired;

    /// <summary>
    /// The options that were in force when the connection came. The connection keeps its bounds in bytes and its time-outs; everything else is
    /// decided by those in force at that time.
    /// </summary>
    public DeviceAuthOptions Options { get; } = options;

    /// <summary>The id of the client's <c>connect</c> request, from when there is one until it is answered.</summary>
    public string RequestId { get; private set; } = "";

    /// <summary>Whether the client ended the connection.</summary>
    public bool ClientLeft
    {
        get => _clientLeft || context.RequestAborted.IsCancellationRequested;
        set => _clientLeft = value;
    }

    /// <summary>Whether the handshake is to end because somebody else needs its place, or the gateway ends.</summary>
    public bool IsToEnd => place.GivesWay.IsCancellationRequested || draining.IsUnderWay;

    /// <summary>Whether the refusal is to be held back, since too many handshakes of this client have failed.</summary>
    public bool HoldsBack => _penalty > TimeSpan.Zero;

    /// <summary>A limit on how long the client may take.</summary>
    public CancellationTokenSource StartDeadline() => new(Options.HandshakeTimeout, time);

    /// <summary>Cancelled when there is no more waiting for a silent client: it is out of time, gone, or <see cref="IsToEnd"/>.</summary>
    public CancellationTokenSource LinkPatience(CancellationToken either) =>
        CancellationTokenSource.CreateLinkedTokenSource(either, place.GivesWay, draining.Token);

    /// <summary>The nonce of the backend's challenge; null if it sends something else, or takes too long, or the handshake is to end.</summary>
    public async Task<string?> NonceAsync(Task<string?> challenge, CancellationToken cancellationToken)
    {
        using CancellationTokenSource patience = LinkPatience(cancellationToken);
        return await WithinTimeAsync(challenge, patience.Token, cancellationToken);
    }

    /// <summary>Waits for something to come about while the client answers the challenge, but only for a moment; fails if that is over.</summary>
    public Task WithinMomentAsync(Task task, CancellationToken cancellationToken) => task.WaitAsync(Moment, time, cancellationToken);

    /// <summary>The backend's answer; none if it takes too long, or the session is closed meanwhile.</summary>
    public async Task<BackendAnswer> AnswerAsync(Task<BackendAnswer> answer, CancellationToken closing, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(closing, cancellationToken);
        return await WithinTimeAsync(answer, either.Token, cancellationToken);
    }

    /// <summary>Verifies and decides the client's request. There is a session if, and only if, there is no refusal.</summary>
    /// <param name="message">The client's first message.</param>
    /// <param name="nonce">The nonce of the challenge that was relayed to it.</param>
    /// <param name="cancellationToken">Cancelled when the connection is gone.</param>
    public async ValueTask<(Refusal? Refusal, Session? Session)> DecideAsync(ReadOnlyMemory<byte> message, string nonce, CancellationToken cancellationToken)
    {
        place.Speak();
        long came = time.GetTimestamp();
        Examination found = await proofs.ExamineAsync(message, nonce, time.GetUtcNow(), settings.Current.SignatureSkew, cancellationToken);
        if (found.Request is not { } request)
            return (Logged(found.Malformed!), null);
        RequestId = request.Id;
        if (time.GetElapsedTime(came) > Options.HandshakeTimeout)
        {
            // It had to wait so long for its turn that it may have given up.
            gatekeeper.PutOff(found.Claim, origin, Options);
            return (Answers.TryAgainLater(request.Id), null);
        }

        if (found.Failure != ProofFailure.None)
            return (Logged(Answers.ProofFailed(request.Id, found.Failure)), null);
        if (draining.IsUnderWay)
            return (Answers.Restarting(request.Id), null);

        Claim claim = found.Claim!;
        Verdict verdict = await gatekeeper.DecideAsync(claim, origin, Options, inForce => MayAsk(request, inForce), cancellationToken);
        if (verdict is Verdict.Unauthorized)
            CountFailure();
        _wasPaired = verdict is Verdict.Admitted { WasPaired: true };
        return verdict switch
        {
            Verdict.Admitted admitted => (null, admitted.Session),
            Verdict.Unauthorized => (Answers.Unauthorized(request.Id), null),
            Verdict.Refused refused => (Answers.PairingRequired(request.Id, claim, refused.Pairing), null),
            Verdict.Blocked => (Answers.Blocked(request.Id, claim), null),
            Verdict.TooMany or Verdict.Busy => (Answers.TryAgainLater(request.Id), null),
            _ => (Answers.RegistryUnavailable(request.Id), null),
        };
    }

    /// <summary>The client is told that it is not let in.</summary>
    public void Refused(Refusal refusal) => metrics.HandshakeRefused(refusal.Closing.Code);

    /// <summary>The client broke a rule of the WebSocket protocol, or of the handshake.</summary>
    public Refusal Violated(Closing closing) => Logged(new Refusal(closing));

    /// <summary>The client took too long, or its place was needed.</summary>
    public Refusal TimedOut()
    {
        if (draining.IsUnderWay)
            return new Refusal(Closing.Restarting);
        if (!place.GivesWay.IsCancellationRequested)
            return Logged(new Refusal(Closing.HandshakeTimeout));
        LogGaveWay(origin.Address);
        gatekeeper.Refused(Closing.TryAgainLater, claim: null, origin, Options);
        return new Refusal(Closing.TryAgainLater);
    }

    /// <summary>The connection to the backend is gone.</summary>
    public void LeaveDestination() => place.LeaveDestination();

    /// <summary>Waits for as long as the refusal is held back.</summary>
    public async Task ServePenaltyAsync()
    {
        place.HoldBack();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, place.GivesWay, draining.Token);
        try
        {
            await Task.Delay(_penalty, time, end.Token);
        }
        catch (OperationCanceledException)
        {
            // There is no longer anybody, or any time, to wait for.
        }
    }

    /// <summary>A backend that has refused is expected to close by itself; gives it a moment.</summary>
    public async Task WaitForBackendToCloseAsync(CancellationToken cancellationToken)
    {
        LogBackendRefused(origin.Address);
        await Task.Delay(BackendCloseTimeout, time, cancellationToken);
    }

    /// <summary>The backend has accepted the device: its place among the handshakes under way is free.</summary>
    public void Completed(Session session)
    {
        place.Dispose();
        RequestId = "";
        if (_wasPaired)
            history.Admitted(place.Client);
        gatekeeper.Opened(session, origin, Options);
    }

    /// <summary>The connection of an admitted device is over.</summary>
    /// <param name="session">The session.</param>
    /// <param name="closing">How the gate ended it; null if it did not.</param>
    public void Ended(Session session, Closing? closing) => gatekeeper.Ended(session, closing, origin, Options);

    /// <summary>The backend did not begin with a challenge.</summary>
    public void NoChallenge() => LogNoChallenge(LogText.Of(context.Request.Path));

    /// <summary>The backend has not answered the request, or what it sent is not the protocol.</summary>
    public void NoAnswer() => LogNoAnswer(LogText.Of(context.Request.Path), Options.HandshakeTimeout);

    /// <summary>The backend ended the connection before it had answered.</summary>
    public void BackendLeft() => LogBackendLeft(LogText.Of(context.Request.Path));

    /// <summary>The gate itself has failed, and has let nobody in.</summary>
    public void Failed(Exception exception) => LogFailed(LogText.Of(context.Request.Path), exception);

    private async Task<T?> WithinTimeAsync<T>(Task<T> task, CancellationToken either, CancellationToken cancellationToken)
    {
        try
        {
            return await task.WaitAsync(Options.HandshakeTimeout, time, either);
        }
        catch (TimeoutException)
        {
            return default;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return default;
        }
    }

    // Hashes of one length, compared in constant time: how much of a guess is right cannot be measured.
    private static bool MayAsk(ConnectRequest request, DeviceAuthOptions options) =>
        options.SharedTokenSha256.IsEmpty
        || (request.SharedToken is { } token
            && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(token)), options.SharedTokenSha256.AsSpan()));

    private void CountFailure() => _penalty = history.Fail(place.Client, settings.Current.Limits.FailuresPerAddress);

    private Refusal Logged(Refusal refusal)
    {
        CountFailure();
        LogRefused(origin.Address, refusal.Closing.Code, refusal.Closing.Reason);
        gatekeeper.Refused(refusal.Closing, claim: null, origin, Options);
        return refusal;
    }

    [LoggerMessage(1101, LogLevel.Information, "Refused a handshake from {Address}: {Code} {Reason}.")]
    private partial void LogRefused(string? address, ushort code, string reason);

    [LoggerMessage(1107, LogLevel.Information, "A handshake from {Address} that was silent for longest has given way to another (DeviceAuth:Limits).")]
    private partial void LogGaveWay(string? address);

    [LoggerMessage(1102, LogLevel.Warning, "The backend of {Path} did not begin with a connect.challenge. Is it an OpenClaw-protocol backend? "
        + "A route to any other needs the metadata \"DeviceAuth\": \"Off\", which leaves it ungated.")]
    private partial void LogNoChallenge(string path);

    [LoggerMessage(1103, LogLevel.Warning, "The backend of {Path} gave no proper answer to a connect request within {Timeout} (DeviceAuth:HandshakeTimeout).")]
    private partial void LogNoAnswer(string path, TimeSpan timeout);

    [LoggerMessage(1104, LogLevel.Warning, "The backend of {Path} ended a connection in the middle of the handshake.")]
    private partial void LogBackendLeft(string path);

    [LoggerMessage(1105, LogLevel.Information, "The backend refused the connect request of an admitted device from {Address}.")]
    private partial void LogBackendRefused(string? address);

    [LoggerMessage(1106, LogLevel.Error, "A handshake on {Path} failed in the gate itself; the client was not admitted.")]
    private partial void LogFailed(string path, Exception exception);
}
