using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// The handshake of one connection, from top to bottom, before the proxy copies a byte: the backend challenges, the client sends its
/// <c>connect</c>, the gate decides, the backend gets that request and accepts it. What this does not send is not sent.
/// </summary>
/// <param name="handshake">Whose.</param>
/// <param name="client">The client's stream.</param>
/// <param name="backend">The backend's stream. It is closed unless the connection opens.</param>
/// <param name="pipe">The way to the client, and what the connection becomes.</param>
/// <param name="decision">Decides.</param>
/// <param name="draining">Signals that the gateway ends.</param>
/// <param name="time">The clock.</param>
/// <param name="log">The log.</param>
/// <param name="tunnel">Cancelled when the client's connection is gone, or the proxy's activity time-out is over: the proxy would relay nothing.</param>
internal sealed class ConnectFrameExchange(
    HandshakeContext handshake,
    Stream client,
    Stream backend,
    SessionPipe pipe,
    ConnectDecision decision,
    Draining draining,
    TimeProvider time,
    HandshakeLog log,
    CancellationToken tunnel) : IAsyncDisposable
{
    private const int ReceiveSize = 4096;

    // Closing a connection while a read of it is under way throws, which costs as much as verifying a proof. So the gate begins to read from
    // the backend only when the client has not answered the challenge within this time: a stranger who is refused at once costs no exception.
    // A backend that leaves or pings is noticed so much later.
    private static readonly TimeSpan PromptAnswer = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a backend that has refused may take to close by itself.</summary>
    private static readonly TimeSpan BackendCloseTimeout = TimeSpan.FromSeconds(2);

    /// <summary>How long a backend may take to answer a close frame.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(1);

    private readonly HandshakeBackend _backend = new(backend);
    private readonly MessageReader _fromClient = new(FrameSource.Client, handshake.Options.MaxHandshakeBytes);
    private Task _relaying = Task.CompletedTask;
    private bool _isOpen;

    /// <summary>The session, once the device is admitted.</summary>
    public Session? Session { get; private set; }

    /// <summary>The refusal that the client is to get; null if none.</summary>
    public Refusal? Refusal { get; private set; }

    /// <summary>The whole handshake. True if the connection is open: then, and only then, the proxy may have the backend's stream.</summary>
    public async Task<bool> ShakeHandsAsync()
    {
        using var patience = new CancellationTokenSource(handshake.Options.HandshakeTimeout, time);
        using CancellationTokenRegistration onGone = EndBy(patience, tunnel);
        using CancellationTokenRegistration onEvicted = EndBy(patience, handshake.Place.GivesWay);
        using CancellationTokenRegistration onDraining = EndBy(patience, draining.Token);

        if (await RelayChallengeAsync(patience.Token) is not { } nonce)
            return RefuseUnchallenged();
        patience.CancelAfter(handshake.Options.HandshakeTimeout);
        if (!await ReceiveConnectAsync(patience))
            return false;

        ConnectOutcome outcome = await decision.DecideAsync(handshake, _fromClient.Message, nonce);
        Session = outcome.Session;
        if (outcome.Refusal is { } refusal)
            return Refuse(refusal);
        DeviceFeature.Set(handshake.Http, Session!);
        if (Session!.Closing is { } closing)
            return Refuse(Answers.ClosedMeanwhile(outcome.RequestId, closing)); // since it was admitted, and not one byte of it has gone out
        if (tunnel.IsCancellationRequested)
            return !handshake.IsClientGone && Refuse(Answers.TryAgainLater(outcome.RequestId)); // the proxy would not relay

        if (!await ForwardAsync(outcome.RequestId))
            return false;
        decision.Opened(handshake, outcome);
        pipe.Begin(Session, _fromClient.Rest.ToArray());
        return _isOpen = true;
    }

    /// <summary>Closes the backend's connection unless the handshake has succeeded, and gives the memory back.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_isOpen)
        {
            await _backend.CloseAsync();
            await _relaying.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pipe.Discard(_fromClient.Rest.Span);
        }

        _fromClient.Dispose();
        _backend.Dispose();
    }

    /// <summary>Ends the waiting when the token is cancelled. A linked source would cost another object for each.</summary>
    private static CancellationTokenRegistration EndBy(CancellationTokenSource patience, CancellationToken token) =>
        token.UnsafeRegister(static p => ((CancellationTokenSource)p!).Cancel(), patience);

    private bool Refuse(Refusal refusal)
    {
        Refusal = refusal;
        return false;
    }

    private bool RefuseUnchallenged()
    {
        if (handshake.IsClientGone)
            return false;
        if (handshake.Place.GivesWay.IsCancellationRequested || draining.IsUnderWay)
            return Refuse(decision.TimedOut(handshake));
        log.NoChallenge(handshake);
        return Refuse(new Refusal(Closing.BackendHandshakeFailed));
    }

    /// <summary>There is no more waiting for the client, or one of them has left.</summary>
    private bool RefuseSilent(CancellationTokenSource patience) =>
        patience.IsCancellationRequested ? !handshake.IsClientGone && Refuse(decision.TimedOut(handshake)) : CloseForBackend();

    private bool CloseForBackend()
    {
        if (handshake.IsClientGone)
            return false;
        log.BackendLeft(handshake);
        pipe.Close(Closing.BackendHandshakeFailed);
        return false;
    }

    /// <summary>Relays the backend's first message if it is a challenge. Its nonce; null if something else comes, or nothing.</summary>
    private async Task<string?> RelayChallengeAsync(CancellationToken patience)
    {
        MessageReader received = _backend.Received;
        while (true)
        {
            switch (received.Next())
            {
                case FrameEvent.NeedsMore:
                    if (!await _backend.ReceiveAsync(patience))
                        return null;
                    break;
                case FrameEvent.Control when received.ControlFrame.Opcode != Opcode.Close:
                    if (!await TryTellClientAsync(received.ControlFrame.Bytes, patience))
                        return null;
                    break;
                case FrameEvent.Message when Challenge.ReadNonce(received.Message) is { } nonce:
                    return await TryTellClientAsync(received.MessageFrames, patience) ? nonce : null;
                default:
                    return null;
            }
        }
    }

    /// <summary>
    /// Receives the client's first message. Control frames are relayed both ways meanwhile; whatever else the backend says is held for the decision.
    /// </summary>
    private async Task<bool> ReceiveConnectAsync(CancellationTokenSource patience)
    {
        Task clientSpeaks = Task.CompletedTask;
        try
        {
            if (!await RelayControlFramesAsync(patience.Token))
                return RefuseSilent(patience);
            while (true)
            {
                switch (_fromClient.Next())
                {
                    case FrameEvent.Message:
                        return true;
                    case FrameEvent.Violation:
                        return Refuse(decision.Violated(handshake, _fromClient.Violation!));
                    case FrameEvent.Control:
                        if (!await _backend.TrySendAsync(_fromClient.ControlFrame.Bytes, patience.Token))
                            return RefuseSilent(patience);
                        if (_fromClient.ControlFrame.Opcode == Opcode.Close)
                            return await RelayCloseAnswerAsync();
                        if (_backend.Received.ExpectsControlFrame)
                            _ = _backend.WatchAsync(); // it may answer
                        continue;
                }

                clientSpeaks = client.ReadAsync(Memory<byte>.Empty, patience.Token).AsTask(); // holds no memory while the client is silent
                if (!await HearBackendUntilAsync(clientSpeaks, patience.Token))
                    return RefuseSilent(patience);
                await clientSpeaks;
                int length = await client.ReadAsync(_fromClient.Reserve(ReceiveSize), patience.Token);
                if (length == 0)
                    return false;
                _fromClient.Received(length);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return patience.IsCancellationRequested && RefuseSilent(patience); // else the client has left
        }
        finally
        {
            if (!clientSpeaks.IsCompleted)
            {
                // The next read of the client, for its close frame, must be the only one.
                await patience.CancelAsync();
                await clientSpeaks.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Relays the backend's control frames until the client speaks. False if the backend leaves, or the client takes none of them in time.</summary>
    private async Task<bool> HearBackendUntilAsync(Task clientSpeaks, CancellationToken patience)
    {
        if (!_backend.IsWatched && _fromClient.Rest.IsEmpty)
            await clientSpeaks.WaitAsync(PromptAnswer, time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (!clientSpeaks.IsCompleted && _backend.Received.ExpectsControlFrame)
        {
            if (await Task.WhenAny(clientSpeaks, _backend.WatchAsync()) == clientSpeaks)
                return true;
            if (!await _backend.ReceiveAsync(patience) || !await RelayControlFramesAsync(patience))
                return false;
        }

        return true;
    }

    /// <summary>The client has closed: it gets the backend's answer to that, if there is one soon. False, as the handshake is over.</summary>
    private async Task<bool> RelayCloseAnswerAsync()
    {
        using var patience = new CancellationTokenSource(Linger, time);
        using CancellationTokenRegistration onGone = EndBy(patience, tunnel);
        while (_backend.Received.ExpectsControlFrame && await _backend.ReceiveAsync(patience.Token))
        {
            if (!await RelayControlFramesAsync(patience.Token))
                break;
        }

        return false;
    }

    /// <summary>
    /// Forwards the client's request, and relays what the backend says until it has accepted it. If it does not, both sides get a close frame.
    /// </summary>
    private async Task<bool> ForwardAsync(string requestId)
    {
        using var patience = new CancellationTokenSource(handshake.Options.HandshakeTimeout, time);
        using CancellationTokenRegistration onGone = EndBy(patience, tunnel);
        using CancellationTokenRegistration onClosing = EndBy(patience, Session!.ClosingToken);
        BackendAnswer? answer = null; // none in time
        bool isForwarded = await _backend.TrySendAsync(_fromClient.MessageFrames, patience.Token);
        if (isForwarded)
        {
            Task<BackendAnswer> answering = RelayAnswerAsync(requestId);
            _relaying = answering;
            await _relaying.WaitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (answering.IsCompleted)
                answer = await answering;
        }
        else if (!patience.IsCancellationRequested)
        {
            answer = BackendAnswer.None;
        }

        if (Session.Closing is { } revoked)
            return await EndAsync(revoked, isForwarded);
        switch (answer)
        {
            case BackendAnswer.Accepted:
                return true;
            case BackendAnswer.None:
                return CloseForBackend();
            case BackendAnswer.Refused:
                log.BackendRefused(handshake);
                _relaying = RelayRestAsync();
                using (var closing = CancellationTokenSource.CreateLinkedTokenSource(Session.ClosingToken, tunnel))
                    await _relaying.WaitAsync(BackendCloseTimeout, time, closing.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                return !_relaying.IsCompleted && !handshake.IsClientGone && await EndAsync(Session.Closing ?? Closing.BackendHandshakeFailed, isForwarded);
            default:
                if (handshake.IsClientGone)
                    return false;
                log.NoAnswer(handshake);
                return await EndAsync(Closing.BackendHandshakeFailed, isForwarded);
        }
    }

    /// <summary>Ends a connection after the decision: the client gets a close frame, and then the backend one as a client would send it.</summary>
    /// <returns>False, as the handshake has failed.</returns>
    private async Task<bool> EndAsync(Closing closing, bool isForwarded)
    {
        pipe.Close(closing); // first, or the client would get the backend's own
        if (!isForwarded)
            return false; // a part of the request may be under way, and a close frame has no place within it
        if (_relaying.IsCompleted)
            _relaying = RelayRestAsync(); // of which the client gets the rest of a frame that has begun
        if (await _backend.TrySendAsync(FrameWriter.CloseToBackend(Closing.ClientLeft), tunnel))
        {
            await pipe.Outlet.Completion.WaitAsync(tunnel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _relaying.WaitAsync(Linger, time, tunnel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return false;
    }

    /// <summary>Relays what the backend says until it has answered the request. <see cref="BackendAnswer.None"/> if it leaves before.</summary>
    private async Task<BackendAnswer> RelayAnswerAsync(string requestId)
    {
        using var answers = new AnswerReader(requestId);
        var answer = BackendAnswer.None;
        await _backend.RelayAsync(async data =>
        {
            BackendAnswer found = answers.Read(data.Span);
            if (found == BackendAnswer.Broken)
                pipe.Close(Closing.BackendHandshakeFailed); // while a close frame still has a place among its bytes
            await pipe.Outlet.WriteAsync(data, tunnel);
            answer = found;
            return found == BackendAnswer.None;
        });
        return answer;
    }

    private Task RelayRestAsync() => _backend.RelayAsync(async data =>
    {
        await pipe.Outlet.WriteAsync(data, tunnel);
        return true;
    });

    /// <summary>Relays the control frames that the backend has sent, up to anything else. False if the client does not take them in time.</summary>
    private async Task<bool> RelayControlFramesAsync(CancellationToken patience)
    {
        while (_backend.Received.TryReadControlFrame())
        {
            if (!await TryTellClientAsync(_backend.Received.ControlFrame.Bytes, patience))
                return false;
        }

        return true;
    }

    private async Task<bool> TryTellClientAsync(ReadOnlyMemory<byte> frames, CancellationToken patience)
    {
        try
        {
            await pipe.Outlet.WriteAsync(frames, patience);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
