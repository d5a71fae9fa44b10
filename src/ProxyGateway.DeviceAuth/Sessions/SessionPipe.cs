using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// A client's connection on its way through the gate. Relays both ways without looking at payloads, and ends it when told to:
/// the client gets a close frame between two frames, and the backend sees a client that closed.
/// </summary>
/// <param name="context">The upgraded request.</param>
/// <param name="client">Its stream.</param>
/// <param name="time">The clock for grace periods.</param>
internal sealed class SessionPipe(HttpContext context, Stream client, TimeProvider time) : IAsyncDisposable
{
    /// <summary>How long a client may take to read its close frame before the connection is aborted.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>How long the other side may take to answer a close frame.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(1);

    private FrameTracker _toBackend;
    private FrameTracker _fromClient; // kept from the moment when the two begin to differ
    private ReadOnlyMemory<byte> _outgoing;
    private bool _discards;
    private bool _saidGoodbye;
    private Session? _session;
    private CancellationTokenRegistration _onClosing;
    private CancellationTokenSource? _reading;
    private CancellationToken _readingFor;
    private ITimer? _abort;

    /// <summary>The way to the client.</summary>
    public ClientOutlet Outlet { get; } = new(client);

    /// <summary>Whether the gate has ended the connection.</summary>
    public bool IsClosing => Closing is not null;

    /// <summary>How the gate has ended the connection; null if it has not.</summary>
    public Closing? Closing { get; private set; }

    /// <summary>From now on the connection ends when the session does.</summary>
    public void Begin(Session session)
    {
        _session = session;
        _onClosing = session.ClosingToken.Register(static s => ((SessionPipe)s!).CloseSession(), this);
    }

    /// <summary>Ends the connection: a close frame to the client as soon as one may be sent, and an abort if it does not take it.</summary>
    public void Close(Closing closing, byte[]? answer = null)
    {
        Closing ??= closing;
        ITimer abort = time.CreateTimer(static c => ((HttpContext)c!).Abort(), context, Grace, Timeout.InfiniteTimeSpan);
        if (Interlocked.CompareExchange(ref _abort, abort, comparand: null) is not null)
            abort.Dispose(); // a second one would outlive the request, whose context serves the next one on the connection
        Outlet.Close(closing, answer);
    }

    /// <summary>Bytes for the backend that are to be read before any of the client's.</summary>
    public void Offer(ReadOnlyMemory<byte> bytes) => _outgoing = bytes;

    /// <summary>Takes what was offered; 0 if nothing is left of it.</summary>
    public int Take(Memory<byte> buffer)
    {
        int length = Math.Min(buffer.Length, _outgoing.Length);
        _outgoing[..length].CopyTo(buffer);
        _toBackend.Advance(buffer.Span[..length]);
        _outgoing = length < _outgoing.Length ? _outgoing[length..] : default; // what it was a piece of may be given back
        return length;
    }

    /// <summary>Whether there is something that was offered and not taken.</summary>
    public bool HasOffer => !_outgoing.IsEmpty;

    /// <summary>The client's bytes, as they come. A read for no bytes waits for some without holding a buffer, and so keeps idle connections small.</summary>
    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_session!.Closing is not null)
            return EndAsync(buffer, saysGoodbye: true, cancellationToken);
        if (_toBackend is { SawClose: true, AtBoundary: true })
            return new ValueTask<int>(0); // the client's last word; and a read that waits would only have to be cancelled when the backend answers

        ValueTask<int> read = client.ReadAsync(buffer, ReadingToken(cancellationToken));
        return read.IsCompletedSuccessfully && _session.Closing is null
            ? new ValueTask<int>(Pass(buffer, read.Result))
            : AwaitReadAsync(read, buffer, cancellationToken);
    }

    /// <summary>
    /// What the backend reads once the client has nothing more to say to it: a close frame as a client would send it, unless that would fall
    /// into the middle of a frame, and then nothing until the tunnel ends. A tunnel that does not end by itself is ended.
    /// </summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="saysGoodbye">Whether that close frame is wanted; the first call counts.</param>
    /// <param name="cancellationToken">Cancelled when the tunnel has ended.</param>
    public async ValueTask<int> EndAsync(Memory<byte> buffer, bool saysGoodbye, CancellationToken cancellationToken)
    {
        if (!_saidGoodbye)
        {
            _saidGoodbye = true;

            // The client is told why before the backend hears of it, whose own close frame would else be what the client gets.
            if (_session?.Closing is not null)
                CloseSession();
            Discard([]);
            _outgoing = _toBackend is { AtBoundary: true, SawClose: false } && saysGoodbye ? FrameWriter.CloseToBackend(Closing.ClientLeft) : default;
        }

        if (HasOffer)
            return buffer.IsEmpty ? 0 : Take(buffer);
        if (IsClosing)
            await Outlet.Completion.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.Delay(Linger, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (cancellationToken.IsCancellationRequested)
            return 0; // the tunnel has ended; thrown, this would be thrown again by everybody on the way out, which is dear
        throw new OperationCanceledException("The gate has closed this connection.");
    }

    /// <summary>Takes note of bytes of the client that will not be relayed. None is from here on, nor is what was offered and not taken.</summary>
    public void Discard(ReadOnlySpan<byte> bytes)
    {
        if (!_discards)
        {
            _discards = true;
            _fromClient = _toBackend;
            _fromClient.Advance(_outgoing.Span);
            _outgoing = default;
        }

        _fromClient.Advance(bytes);
    }

    /// <summary>To be called once the tunnel is gone: sees that the client gets its close frame.</summary>
    public async ValueTask DisposeAsync()
    {
        await _onClosing.DisposeAsync();
        _reading?.Dispose();
        if (IsClosing)
            await SeeOffAsync();
        if (_abort is { } abort)
            await abort.DisposeAsync();
    }

    private void CloseSession() => Close(_session!.Closing!);

    private CancellationToken ReadingToken(CancellationToken cancellationToken)
    {
        if (_reading is null || _readingFor != cancellationToken)
        {
            _reading?.Dispose();
            _readingFor = cancellationToken;
            _reading = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _session!.ClosingToken);
        }

        return _reading.Token;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> AwaitReadAsync(ValueTask<int> read, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        int length;
        try
        {
            length = await read;
        }
        catch (OperationCanceledException) when (_session!.Closing is not null && !cancellationToken.IsCancellationRequested)
        {
            length = 0;
        }

        if (_session!.Closing is null)
            return Pass(buffer, length);
        Discard(buffer.Span[..length]);
        return await EndAsync(buffer, saysGoodbye: true, cancellationToken);
    }

    private int Pass(Memory<byte> buffer, int length)
    {
        _toBackend.Advance(buffer.Span[..length]);
        return length;
    }

    /// <summary>
    /// Waits until the close frame is out, and then until the client has answered it or left: closing a socket with unread input makes the
    /// kernel send a reset, which can overtake the close frame.
    /// </summary>
    private async Task SeeOffAsync()
    {
        if (!Outlet.TryEnd())
        {
            context.Abort();
            return;
        }

        Discard([]);
        using var patience = new CancellationTokenSource(Grace, time);
        try
        {
            await Outlet.Completion.WaitAsync(patience.Token);
            if (_session is null)
                patience.CancelAfter(Linger); // a stranger was sent next to nothing, and holds a place among the handshakes under way
            byte[] discarded = new byte[4096];
            while (_fromClient is not { SawClose: true, AtBoundary: true })
            {
                int length = await client.ReadAsync(discarded, patience.Token);
                if (length == 0)
                    return;
                Discard(discarded.AsSpan(0, length));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            context.Abort();
        }
    }
}
