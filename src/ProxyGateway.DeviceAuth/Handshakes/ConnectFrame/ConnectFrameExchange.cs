using System.Runtime.CompilerServices;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// The handshake of one connection: both ways lead through it until the backend has accepted the one <c>connect</c> request that was let
/// through. What it needs is let go then, so that it costs an open connection nothing.
/// </summary>
internal sealed class ConnectFrameExchange : IDisposable
{
    private const int ReceiveSize = 4096;

    private readonly Stream _client;
    private readonly ConnectFrameGate _gate;
    private readonly SessionPipe _pipe;
    private readonly MessageReader _fromClient;
    private readonly MessageReader _fromBackend;

    // Set by the way from the backend, awaited by the way to it, which goes on right there: up to its next wait, and what may take long has one.
    private readonly TaskCompletionSource<string?> _challenge = new();
    private readonly TaskCompletionSource<BackendAnswer> _answer = new();

    // Set by the way to the backend, awaited by the way from it: the first in every handshake, the other only if the backend speaks out of turn.
    private readonly TaskCompletionSource<bool> _goesOn = new();
    private readonly TaskCompletionSource<bool> _verdict = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private IAsyncEnumerator<ReadOnlyMemory<byte>>? _steps;
    private AnswerReader? _answers;
    private Refusal? _heldBack;

    public ConnectFrameExchange(Stream client, ConnectFrameGate gate, SessionPipe pipe)
    {
        (_client, _gate, _pipe) = (client, gate, pipe);
        _fromClient = new MessageReader(FrameSource.Client, gate.Options.MaxHandshakeBytes);
        _fromBackend = new MessageReader(FrameSource.Backend, ConnectFrameGate.MaxChallengeBytes);
    }

    /// <summary>The session, once the device is admitted.</summary>
    public Session? Session { get; private set; }

    /// <summary>Whether the device was removed, or its grant narrowed, since it was admitted: not one more byte of it goes to the backend.</summary>
    public bool IsRevoked => Session?.Closing is not null;

    /// <summary>Whether the backend has challenged. To read on from it is for <see cref="GoesOnAsync"/> to tell.</summary>
    public bool HasChallenged { get; private set; }

    /// <summary>Whether the backend has answered, so that what it says next needs no looking at.</summary>
    public bool IsPassing { get; private set; }

    /// <summary>Whether the backend has accepted the device, and everything the handshake held back is on its way.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>Goes on with the handshake up to the next bytes for the backend, which are offered to the pipe. False if there are no more.</summary>
    public async ValueTask<bool> MoveOnAsync(CancellationToken cancellationToken)
    {
        if (_steps is not null)
            _goesOn.TrySetResult(true); // what was offered the last time is on its way
        if (IsRevoked)
            return false;
        try
        {
            _steps ??= ShakeHandsAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
            if (!await _steps.MoveNextAsync())
                return false;
            _pipe.Offer(_steps.Current);
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            _gate.Failed(e);
            Refuse(new Refusal(Closing.InternalError));
            return false;
        }
    }

    /// <summary>
    /// Waits until something has gone to the backend, which may answer, or for as long as a client needs that answers a challenge at once.
    /// False if nothing will, so that there is nothing more to read; and if the wait was given up.
    /// </summary>
    public async ValueTask<bool> GoesOnAsync(CancellationToken cancellationToken)
    {
        await _gate.WithinMomentAsync(_goesOn.Task, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _goesOn.TrySetResult(!cancellationToken.IsCancellationRequested);
        return await _goesOn.Task;
    }

    /// <summary>
    /// What the backend reads when it is to hear nothing more of the client. Nothing while <see cref="GoesOnAsync"/> waits: that ends the
    /// tunnel from the backend's side.
    /// </summary>
    public ValueTask<int> EndAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        bool ends = _goesOn.TrySetResult(false) && HasChallenged;
        if (ends)
            _verdict.TrySetResult(false); // for what the backend has said already
        return _pipe.EndAsync(buffer, saysGoodbye: !ends, cancellationToken);
    }

    /// <summary>What comes from the backend.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (!_verdict.Task.IsCompleted)
        {
            if (!HasChallenged && _challenge.Task.IsCompleted)
                return; // it did not begin with one
            _fromBackend.Receive(data.Span);
            if (!HasChallenged && !await RelayChallengeAsync(cancellationToken))
                return;
            while (_fromBackend.TryReadControlFrame())
            {
                await _pipe.Outlet.WriteAsync(_fromBackend.ControlFrame.Bytes, cancellationToken);
            }

            data = _fromBackend.Rest;
            if (data.IsEmpty)
                return;
        }

        // What the backend says before the decision is held right here, in the proxy's own buffer.
        if (!await _verdict.Task.WaitAsync(cancellationToken))
            return;
        BackendAnswer answer = _answers!.Read(data.Span);
        if (answer == BackendAnswer.Broken)
            _pipe.Close(Closing.BackendHandshakeFailed); // while a close frame still has a place among its bytes
        await _pipe.Outlet.WriteAsync(data, cancellationToken);
        if (answer == BackendAnswer.None)
            return;
        IsPassing = true;
        _answer.TrySetResult(answer);
    }

    /// <summary>To be called once the tunnel is gone before the connection was open: sees that the client is told.</summary>
    public async Task FinishAsync()
    {
        _verdict.TrySetResult(false);
        if (_steps is not null)
            await _steps.DisposeAsync();
        _gate.LeaveDestination();
        if (_heldBack is { } refusal)
        {
            await _gate.ServePenaltyAsync();
            Refuse(refusal);
        }
        else if (!_answer.Task.IsCompleted && !_pipe.IsClosing && !_gate.ClientLeft)
        {
            if (HasChallenged)
                _gate.BackendLeft();
            else
                _gate.NoChallenge();
            _pipe.Close(Closing.BackendHandshakeFailed);
        }

        _pipe.Discard(_fromClient.Rest.Span);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _fromClient.Dispose();
        _fromBackend.Dispose();
        _answers?.Dispose();
    }

    /// <summary>The handshake, step by step. What it yields goes to the backend; each piece is good until the next is asked for.</summary>
    private async IAsyncEnumerable<ReadOnlyMemory<byte>> ShakeHandsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (await _gate.NonceAsync(_challenge.Task, cancellationToken) is not { } nonce)
        {
            if (_gate.IsToEnd)
            {
                Refuse(_gate.TimedOut());
                yield break;
            }

            _gate.NoChallenge();
            Refuse(new Refusal(Closing.BackendHandshakeFailed));
            yield break;
        }

        FrameEvent next;
        using (CancellationTokenSource deadline = _gate.StartDeadline())
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken))
        using (CancellationTokenSource patience = _gate.LinkPatience(either.Token))
        {
            while ((next = await ReceiveAsync(patience.Token, cancellationToken)) == FrameEvent.Control)
            {
                yield return _fromClient.ControlFrame.Bytes;
                if (_fromClient.ControlFrame.Opcode == Opcode.Close)
                {
                    _gate.ClientLeft = true;
                    yield break;
                }
            }

        }

        if (next == FrameEvent.NeedsMore && _gate.ClientLeft)
            yield break;
        Refusal? refusal;
        if (next == FrameEvent.Message)
            (refusal, Session) = await _gate.DecideAsync(_fromClient.Message, nonce, cancellationToken);
        else
            refusal = next == FrameEvent.Violation ? _gate.Violated(_fromClient.Violation!) : _gate.TimedOut();

        if (refusal is not null)
        {
            // Where the client is to wait for it, the backend is let go first: see FinishAsync.
            if (_gate.HoldsBack)
                (_heldBack, _) = (refusal, _verdict.TrySetResult(false));
            else
                Refuse(refusal);
            yield break;
        }

        _answers = new AnswerReader(_gate.RequestId);
        if (Session!.Closing is null)
            _pipe.Begin(Session);
        if (Session.Closing is { } revoked)
        {
            Refuse(Answers.Revoked(_gate.RequestId, revoked)); // since it was admitted, and not one byte of it has gone out
            yield break;
        }

        _verdict.TrySetResult(true);
        yield return _fromClient.MessageFrames;

        BackendAnswer answer = await _gate.AnswerAsync(_answer.Task, Session.ClosingToken, cancellationToken);
        if (IsRevoked)
            yield break;
        switch (answer)
        {
            case BackendAnswer.Accepted:
                _gate.Completed(Session);
                break;
            case BackendAnswer.Refused:
                await _gate.WaitForBackendToCloseAsync(cancellationToken);
                _pipe.Close(Closing.BackendHandshakeFailed);
                yield break;
            default:
                _gate.NoAnswer();
                _pipe.Close(Closing.BackendHandshakeFailed);
                yield break;
        }

        if (!_fromClient.Rest.IsEmpty)
            yield return _fromClient.Rest;
        IsOpen = true;
    }

    /// <summary>
    /// The client's next frame or message. <see cref="FrameEvent.NeedsMore"/> if nothing more comes: because the client left, or because
    /// it is out of time.
    /// </summary>
    private async ValueTask<FrameEvent> ReceiveAsync(CancellationToken either, CancellationToken cancellationToken)
    {
        while (true)
        {
            FrameEvent next = _fromClient.Next();
            if (next != FrameEvent.NeedsMore)
                return next;
            try
            {
                _ = await _client.ReadAsync(Memory<byte>.Empty, either); // holds no memory while the client is silent
                int received = await _client.ReadAsync(_fromClient.Reserve(ReceiveSize), either);
                if (received == 0)
                {
                    _gate.ClientLeft = true;
                    return FrameEvent.NeedsMore;
                }

                _fromClient.Received(received);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                return FrameEvent.NeedsMore;
            }
            catch (IOException)
            {
                _gate.ClientLeft = true;
                return FrameEvent.NeedsMore;
            }
        }
    }

    private void Refuse(Refusal refusal)
    {
        _verdict.TrySetResult(false);
        _gate.Refused(refusal);
        _pipe.Close(refusal.Closing, refusal.Answer);
    }

    /// <summary>Relays the backend's first message if it is a challenge; false while it is not whole, or if it is something else.</summary>
    private async ValueTask<bool> RelayChallengeAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            switch (_fromBackend.Next())
            {
                case FrameEvent.NeedsMore:
                    return false;
                case FrameEvent.Control when _fromBackend.ControlFrame.Opcode != Opcode.Close:
                    await _pipe.Outlet.WriteAsync(_fromBackend.ControlFrame.Bytes, cancellationToken);
                    break;
                case FrameEvent.Message when Challenge.ReadNonce(_fromBackend.Message) is { } nonce:
                    HasChallenged = true;
                    await _pipe.Outlet.WriteAsync(_fromBackend.MessageFrames, cancellationToken);
                    _challenge.TrySetResult(nonce);
                    return true;
                default:
                    _challenge.TrySetResult(null);
                    return false;
            }
        }
    }
}
