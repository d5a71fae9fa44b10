using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>One connection: first its handshake, and then, for an admitted device, a <see cref="SessionPipe"/>.</summary>
internal sealed class ConnectFrameConnection(
    HandshakeContext handshake, ConnectDecision decision, SecondQuestion secondQuestion, AdmissionDesk desk, Gatekeeper gatekeeper, PairingWaits waits,
    Draining draining, TimeProvider time, HandshakeLog log)
    : IGatedConnection, IAsyncDisposable
{
    private Stream? _client;
    private SessionPipe? _pipe;
    private Session? _session;
    private Refusal? _refusal = new(Closing.InternalError); // until the handshake has a result
    private byte[] _early = [];

    public Stream Accept(Stream client)
    {
        _client = client;
        return _pipe = new SessionPipe(handshake.Http, client, time);
    }

    public async Task<Stream> ShakeHandsAsync(Stream backend, CancellationToken cancellationToken)
    {
        var exchange = new ConnectFrameExchange(handshake, _client!, backend, _pipe!, decision, secondQuestion, draining, time, log, cancellationToken);
        try
        {
            bool isOpen = await exchange.ShakeHandsAsync();
            _refusal = exchange.Refusal;
            if (isOpen)
                return backend; // only for an admitted device
        }
        catch (Exception e)
        {
            if (handshake.IsClientGone)
                _refusal = null;
            else
                log.Failed(handshake, e);
        }
        finally
        {
            _session = exchange.Session;
            await exchange.DisposeAsync();
            if (_refusal?.Wait is null)
                _client = null;
            else
                _early = exchange.Early;
        }

        handshake.Place.LeaveDestination();
        return new EndedStream();
    }

    /// <summary>
    /// To be called after the proxy has finished, in any way: sends the refusal, waits for the client's close frame, and ends the session.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        handshake.Trace?.Complete(Outcome());
        if (_pipe is null)
            return; // there was no tunnel
        try
        {
            if (_refusal is { } refusal)
            {
                using PairingWait? wait = refusal.Wait;
                Refusal? last = wait is null ? refusal : await WaitAsync(wait, refusal.Answer!);
                await desk.HoldBackAsync(handshake, last?.Delay ?? TimeSpan.Zero);
                if (last is not null)
                    _pipe.Close(last.Closing, last.Answer);
            }

            await _pipe.FinishAsync(isStranger: _session is null);
        }
        finally
        {
            if (_session is { } session)
            {
                handshake.Trace?.SessionEnded(SessionEnds.Of(_pipe.Closing));
                gatekeeper.Ended(session, _pipe.Closing, handshake.Origin, handshake.Options);
                session.Dispose();
            }
        }
    }

    private HandshakeOutcome Outcome()
    {
        if (_pipe is null)
            return handshake.IsClientGone ? HandshakeOutcome.ClientLeft : HandshakeOutcome.BackendFailed;
        if (handshake.Place.GivesWay.IsCancellationRequested)
            return HandshakeOutcome.GaveWay;
        return (_refusal?.Closing ?? _pipe.Closing) is { } closing ? HandshakeOutcomes.Of(closing)
            : _session is null || handshake.IsClientGone ? HandshakeOutcome.ClientLeft
            : HandshakeOutcome.BackendRefused;
    }

    // Here, and not in the handshake: the proxy has closed the backend's connection and finished, so its time-out does not bound the wait.
    private Task<Refusal?> WaitAsync(PairingWait wait, byte[] answer)
    {
        handshake.Place.Dispose(); // it holds a place of another kind from now on
        return new WaitingClient(handshake, _client!, _pipe!, wait, waits, decision, draining, time).WaitAsync(answer, _early);
    }
}
