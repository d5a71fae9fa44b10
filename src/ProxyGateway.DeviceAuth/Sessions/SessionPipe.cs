using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// The client's stream for the proxy. Until a session begins it is at its end. From then on it relays both ways without reading payloads,
/// and ends the connection when the session ends: the client gets a close frame between two frames, and the backend sees a client that
/// closed.
/// </summary>
/// <param name="context">The upgraded request.</param>
/// <param name="client">The client's stream.</param>
/// <param name="time">The clock for grace periods.</param>
internal sealed class SessionPipe(HttpContext context, Stream client, TimeProvider time) : DuplexStream
{
    /// <summary>How long a client may take to read its close frame before the connection is aborted.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>How long the other side may take to answer a close frame.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(1);

    private FrameTracker _fromClient; // of all bytes that it has sent, relayed or not
    private ReadOnlyMemory<byte> _early;
    private ReadOnlyMemory<byte>? _lastToBackend; // set when the client's bytes begin to be discarded
    private Session? _session;
    private CancellationTokenRegistration _onClosing;
    private CancellationTokenSource? _reading;
    private CancellationToken _readingFor;
    private ITimer? _abort;

    /// <summary>Writes to the client.</summary>
    public ClientOutlet Outlet { get; } = new(client);

    /// <summary>How the gate has ended the connection; null if it has not.</summary>
    public Closing? Closing { get; private set; }

    /// <summary>Begins to relay to the backend. From now on the connection ends with the session.</summary>
    /// <param name="session">The session of the admitted device.</param>
    /// <param name="early">The client's bytes that have already arrived for the backend, from a boundary between two frames on.</param>
    public void Begin(Session session, ReadOnlyMemory<byte> early = default)
    {
        _early = early;
        _session = session;
        _onClosing = session.ClosingToken.Register(static s => ((SessionPipe)s!).CloseSession(), this);
    }

    /// <summary>
    /// Ends the connection: sends the client a close frame as soon as one may be sent, and aborts it if the client does not take the frame.
    /// </summary>
    /// <param name="closing">The close code and reason; the first call counts.</param>
    /// <param name="answer">A whole frame to send before the close frame.</param>
    public void Close(Closing closing, byte[]? answer = null)
    {
        Closing ??= closing;
        ITimer abort = time.CreateTimer(static c => ((HttpContext)c!).Abort(), context, Grace, Timeout.InfiniteTimeSpan);
        if (Interlocked.CompareExchange(ref _abort, abort, comparand: null) is not null)
            abort.Dispose(); // a second one would outlive the request, whose context serves the next one on the connection
        Outlet.Close(closing, answer);
    }

    /// <summary>
    /// Reads the client's bytes unchanged. A zero-byte read waits without holding a buffer, and so keeps idle connections small.
    /// </summary>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_session is not { } session)
            return new ValueTask<int>(0); // not admitted
        if (session.Closing is not null)
            return EndAsync(buffer, discarded: 0, cancellationToken);
        if (!_early.IsEmpty)
            return new ValueTask<int>(Pass(buffer, Take(ref _early, buffer)));
        if (_fromClient is { SawClose: true, AtBoundary: true })
            // the client has closed; a read that waits would only have to be cancelled when the backend answers
            return new ValueTask<int>(0);

        ValueTask<int> read = client.ReadAsync(buffer, ReadingToken(session, cancellationToken));
        return read.IsCompletedSuccessfully && session.Closing is null
            ? new ValueTask<int>(Pass(buffer, read.Result))
            : AwaitReadAsync(read, buffer, cancellationToken);
    }

    /// <summary>Writes the backend's bytes to the client.</summary>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        Outlet.WriteAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => client.FlushAsync(cancellationToken);

    /// <summary>Notes bytes of the client that are not relayed. None is relayed from here on.</summary>
    public void Discard(ReadOnlySpan<byte> bytes)
    {
        _lastToBackend ??= _session is not null && _fromClient is { AtBoundary: true, SawClose: false }
            ? FrameWriter.CloseToBackend(Closing.ClientLeft)
            : ReadOnlyMemory<byte>.Empty;
        _fromClient.Advance(_early.Span);
        _early = default;
        _fromClient.Advance(bytes);
    }

    /// <summary>To be called after the tunnel has ended: makes sure that the client gets its close frame.</summary>
    /// <param name="isStranger">Whether the client was not admitted: it got little data and holds a place among the handshakes, so the wait
    /// for it is shorter.</param>
    public async ValueTask FinishAsync(bool isStranger)
    {
        await _onClosing.DisposeAsync();
        _reading?.Dispose();
        if (Closing is not null)
            await DrainAfterCloseAsync(isStranger);
        if (_abort is { } abort)
            await abort.DisposeAsync();
    }

    private void CloseSession() => Close(_session!.Closing!);

    private CancellationToken ReadingToken(Session session, CancellationToken cancellationToken)
    {
        if (_reading is null || _readingFor != cancellationToken)
        {
            _reading?.Dispose();
            _readingFor = cancellationToken;
            _reading = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, session.ClosingToken);
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

        return _session!.Closing is null ? Pass(buffer, length) : await EndAsync(buffer, length, cancellationToken);
    }

    /// <summary>
    /// The backend's input after the session has ended: a close frame as a client would send it, unless that would fall into the middle of
    /// a frame, and then nothing until the tunnel ends. A tunnel that does not end by itself is ended.
    /// </summary>
    /// <param name="buffer">The destination.</param>
    /// <param name="discarded">How many bytes of the client are already in it, which the backend does not get.</param>
    /// <param name="cancellationToken">Cancelled when the tunnel has ended.</param>
    private async ValueTask<int> EndAsync(Memory<byte> buffer, int discarded, CancellationToken cancellationToken)
    {
        // The client's close frame first: the backend would answer its own with another, and the client would get that instead of the
        // reason.
        if (_lastToBackend is null)
            CloseSession();
        Discard(buffer.Span[..discarded]);
        ReadOnlyMemory<byte> last = _lastToBackend!.Value;
        if (!last.IsEmpty)
        {
            int length = Take(ref last, buffer);
            _lastToBackend = last;
            return length;
        }

        await Outlet.Completion.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.Delay(Linger, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (cancellationToken.IsCancellationRequested)
            return 0; // the tunnel has ended; every layer would catch and rethrow an exception, which is expensive
        throw new OperationCanceledException("The gate has closed this connection.");
    }

    private int Pass(Memory<byte> buffer, int length)
    {
        _fromClient.Advance(buffer.Span[..length]);
        return length;
    }

    private static int Take(ref ReadOnlyMemory<byte> bytes, Memory<byte> buffer)
    {
        int length = Math.Min(buffer.Length, bytes.Length);
        bytes[..length].CopyTo(buffer);
        bytes = length < bytes.Length ? bytes[length..] : default;
        return length;
    }

    /// <summary>
    /// Waits until the close frame is sent, and then until the client has answered it or left: closing a socket with unread input makes the
    /// kernel send a reset, which can overtake the close frame.
    /// </summary>
    private async Task DrainAfterCloseAsync(bool isStranger)
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
            if (isStranger)
                patience.CancelAfter(Linger);
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
