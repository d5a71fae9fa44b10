using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// The handshake of one connection, from top to bottom, before the proxy copies a byte: the backend challenges, the client sends its
/// <c>connect</c>, the gate decides, the backend gets that request and accepts it. This class sends every byte of the handshake.
/// </summary>
/// <param name="handshake">The handshake.</param>
/// <param name="client">The client's stream.</param>
/// <param name="backend">The backend's stream. It is closed unless the connection opens.</param>
/// <param name="pipe">Writes to the client, and becomes the open connection.</param>
/// <param name="decision">Verifies and decides the request.</param>
/// <param name="secondQuestion">Handles a refusal of the backend.</param>
/// <param name="draining">Signals that the gateway stops.</param>
/// <param name="time">The clock.</param>
/// <param name="log">The log.</param>
/// <param name="tunnel">Cancelled when the client's connection is gone, or the proxy's activity time-out has passed: the proxy would relay
/// nothing.</param>
internal sealed class ConnectFrameExchange(
    HandshakeContext handshake,
    Stream client,
    Stream backend,
    SessionPipe pipe,
    ConnectDecision decision,
    SecondQuestion secondQuestion,
    Draining draining,
    TimeProvider time,
    HandshakeLog log,
    CancellationToken tunnel) : IAsyncDisposable
{
    private const int ReceiveSize = 4096;
    private const int MaxRefusalBytes = 16 * 1024; // of which the client gets nothing before it is known to be none

    // Closing a connection during a read throws, which costs as much as verifying a proof. So the gate reads from the backend only if the
    // client has not answered the challenge within this time: a stranger who is refused at once costs no exception. In return, a backend
    // that leaves or pings is noticed this much later.
    private static readonly TimeSpan PromptAnswer = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a backend that has refused may take to close by itself.</summary>
    private static readonly TimeSpan BackendCloseTimeout = TimeSpan.FromSeconds(2);

    /// <summary>How long a backend may take to answer a close frame.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(1);

    private readonly HandshakeBackend _backend = new(backend);
    private readonly MessageReader _fromClient = new(FrameSource.Client, handshake.Options.MaxHandshakeBytes);
    private ByteBuffer? _held; // what may be a refusal of the backend's, from a boundary between two frames on
    private Task _relaying = Task.CompletedTask;
    private ConnectOutcome _outcome;
    private bool _isChallenged;
    private bool _isOpen;

    /// <summary>The session, once the device is admitted.</summary>
    public Session? Session => _outcome.Session;

    /// <summary>The refusal for the client; null if there is none.</summary>
    public Refusal? Refusal { get; private set; }

    /// <summary>What a client that waits has sent behind its request.</summary>
    public byte[] Early { get; private set; } = [];

    /// <summary>
    /// Does the whole handshake. True if the connection is open: then, and only then, the proxy may have the backend's stream.
    /// </summary>
    public async Task<bool> ShakeHandsAsync()
    {
        using var patience = new CancellationTokenSource(handshake.Options.HandshakeTimeout, time);
        using CancellationTokenRegistration onGone = EndBy(patience, tunnel);
        using CancellationTokenRegistration onEvicted = EndBy(patience, handshake.Place.GivesWay);
        using CancellationTokenRegistration onDraining = EndBy(patience, draining.Token);

        string? challenge = await RelayChallengeAsync(patience.Token);
        handshake.Trace?.BackendAnswered();
        if (challenge is not { } nonce)
            return RefuseUnchallenged();
        patience.CancelAfter(handshake.Options.HandshakeTimeout);
        if (!await ReceiveConnectAsync(patience))
            return false;

        _outcome = await decision.DecideAsync(handshake, _fromClient.Message, nonce);
        if (_outcome.Refusal is { } refusal)
            return Refuse(refusal);
        if (Session is DeviceSession device)
            DeviceFeature.Set(handshake.Http, device);
        if (Session!.Closing is { } closing)
            // after the admission, but before any byte of the request was sent
            return Refuse(Answers.ClosedMeanwhile(_outcome.RequestId, closing));
        if (tunnel.IsCancellationRequested)
            return !handshake.IsClientGone && Refuse(Answers.TryAgainLater(_outcome.RequestId)); // the proxy would not relay

        handshake.Trace?.AwaitBackend();
        if (!await ForwardAsync())
            return false;
        handshake.Trace?.BackendAnswered();
        decision.Opened(handshake, _outcome);
        pipe.Begin(Session, _fromClient.Rest.ToArray());
        return _isOpen = true;
    }

    /// <summary>Closes the backend's connection unless the handshake has succeeded, and returns the memory.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_isOpen)
        {
            await _backend.CloseAsync();
            await _relaying.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pipe.Discard(_fromClient.Rest.Span);
            if (Refusal?.Wait is not null)
                Early = _fromClient.Rest.ToArray();
        }

        _fromClient.Dispose();
        _backend.Dispose();
        _held?.Dispose();
    }

    /// <summary>Ends the wait when the token is cancelled. A linked source would cost another object for each token.</summary>
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
        if (_isChallenged)
            return Refuse(decision.TimedOut(handshake)); // the client did not take it
        log.NoChallenge(handshake);
        return Refuse(new Refusal(Closing.BackendHandshakeFailed));
    }

    /// <summary>Ends the handshake because the wait for the client is over, or because the client or the backend has left.</summary>
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

    /// <summary>
    /// Relays the backend's first message if it is a challenge. Returns its nonce; null if another message comes, or none.
    /// </summary>
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
                    _isChallenged = true;
                    return await TryTellClientAsync(received.MessageFrames, patience) ? nonce : null;
                default:
                    return null;
            }
        }
    }

    /// <summary>
    /// Receives the client's first message. Meanwhile control frames are relayed both ways; the backend's other frames are held until the
    /// decision.
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
                            _ = _backend.WatchAsync(); // the backend may answer with a control frame
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

    /// <summary>
    /// Relays the backend's control frames until the client sends bytes. False if the backend leaves, or the client does not take the
    /// frames in time.
    /// </summary>
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

    /// <summary>
    /// The client has closed: relays the backend's close frame, if it comes soon. Returns false, since the handshake is over.
    /// </summary>
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
    /// Forwards the client's request, and relays the backend's frames until it has accepted the request. If it does not, both sides get a
    /// close frame.
    /// </summary>
    private async Task<bool> ForwardAsync()
    {
        using var patience = new CancellationTokenSource(handshake.Options.HandshakeTimeout, time);
        using CancellationTokenRegistration onGone = EndBy(patience, tunnel);
        using CancellationTokenRegistration onClosing = EndBy(patience, Session!.ClosingToken);
        BackendAnswer? answer = null; // none in time
        bool isForwarded = await _backend.TrySendAsync(_fromClient.MessageFrames, patience.Token);
        if (isForwarded)
        {
            Task<BackendAnswer> answering = RelayAnswerAsync();
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
                return await EndRefusedAsync();
            default:
                if (handshake.IsClientGone)
                    return false;
                log.NoAnswer(handshake);
                return await EndAsync(Closing.BackendHandshakeFailed, isForwarded);
        }
    }

    /// <summary>
    /// The backend has refused. The client gets the backend's answer, or another one if the gate has asked the backend to approve the device,
    /// or if the client would otherwise stop for good. False, since the handshake is over.
    /// </summary>
    private async Task<bool> EndRefusedAsync()
    {
        Refusal? instead = await secondQuestion.AnswerAsync(handshake, _outcome, ReadRefusal(), tunnel);
        if (Session!.Closing is { } revoked)
            return await EndAsync(revoked, isForwarded: true);
        if (handshake.IsClientGone)
            return false;
        if (instead is not null)
            return Refuse(instead);

        if (_held is not null)
            await TryTellClientAsync(_held.Memory, tunnel);
        _relaying = RelayRestAsync();
        using (var closing = CancellationTokenSource.CreateLinkedTokenSource(Session.ClosingToken, tunnel))
            await _relaying.WaitAsync(BackendCloseTimeout, time, closing.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !_relaying.IsCompleted && !handshake.IsClientGone
            && await EndAsync(Session.Closing ?? Closing.BackendHandshakeFailed, isForwarded: true);
    }

    /// <summary>Reads the refusal that is held.</summary>
    private BackendRefusal ReadRefusal()
    {
        if (_held is not { Length: > 0 })
            return BackendRefusal.Unknown; // the client has a part of it already
        using var refusal = new MessageReader(FrameSource.Backend, MaxRefusalBytes);
        refusal.Receive(_held.Span);
        FrameEvent next;
        do
            next = refusal.Next();
        while (next == FrameEvent.Control);
        return next == FrameEvent.Message ? BackendRefusal.Read(refusal.Message) : BackendRefusal.Unknown;
    }

    /// <summary>
    /// Ends a connection after the decision: the client gets a close frame, and then the backend one as if from the client.
    /// </summary>
    /// <returns>False, since the handshake has failed.</returns>
    private async Task<bool> EndAsync(Closing closing, bool isForwarded)
    {
        pipe.Close(closing); // first, or the client would get the backend's own
        if (!isForwarded)
            return false; // a part of the request may have been sent, and a close frame cannot be put within it
        if (_relaying.IsCompleted)
            _relaying = RelayRestAsync(); // the client gets the rest of a frame that has begun
        if (await _backend.TrySendAsync(FrameWriter.CloseToBackend(Closing.ClientLeft), tunnel))
        {
            await pipe.Outlet.Completion.WaitAsync(tunnel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _relaying.WaitAsync(Linger, time, tunnel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return false;
    }

    /// <summary>
    /// Relays the backend's frames until it has answered the request. <see cref="BackendAnswer.None"/> if it leaves first.
    /// </summary>
    private async Task<BackendAnswer> RelayAnswerAsync()
    {
        using var answers = new AnswerReader(_outcome.RequestId);
        var answer = BackendAnswer.None;
        await _backend.RelayAsync(async data =>
        {
            long before = answers.Position;
            BackendAnswer found = answers.Read(data.Span);
            if (found == BackendAnswer.Broken)
                pipe.Close(Closing.BackendHandshakeFailed); // while a close frame still fits between its frames
            if (found == BackendAnswer.Broken || answers.Undecided > MaxRefusalBytes)
                answers.PassOn();
            long behindAnswer = data.Length - (answers.Position - before);
            await RelayAllButAsync(answers.Undecided > 0 ? answers.Undecided + behindAnswer : 0, data);
            answer = found;
            return found == BackendAnswer.None;
        });
        return answer;
    }

    /// <summary>Relays what is held and this, all but the last so many bytes, which are held.</summary>
    private async ValueTask RelayAllButAsync(long kept, ReadOnlyMemory<byte> data)
    {
        if (kept == 0 && _held is not { Length: > 0 })
        {
            await pipe.Outlet.WriteAsync(data, tunnel); // as nearly always
            return;
        }

        _held ??= new ByteBuffer();
        _held.Append(data.Span);
        int decided = _held.Length - (int)kept;
        if (decided == 0)
            return;
        await pipe.Outlet.WriteAsync(_held.Memory[..decided], tunnel);
        _held.Consume(decided);
    }

    private Task RelayRestAsync() => _backend.RelayAsync(async data =>
    {
        await pipe.Outlet.WriteAsync(data, tunnel);
        return true;
    });

    /// <summary>Relays the backend's control frames, up to any other frame. False if the client does not take them in time.</summary>
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
