using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// The client's stream as the proxy sees it. It has ended until a session begins; from then on it relays both ways without looking at payloads, and ends the
/// connection when the session ends: the client gets a close frame between two frames, and the backend sees a client that closed.
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

    private FrameTracker _fromClient; // of all that it has sent, relayed or not
    private ReadOnlyMemory<byte> _early;
    private ReadOnlyMemory<byte>? _lastToBackend; // from when the client's bytes are discarded
    private Session? _session;
    private CancellationTokenRegistration _onClosing;
    private CancellationTokenSource? _reading;
    private CancellationToken _readingFor;
    private ITimer? _abort;

    /// <summary>The way to the client.</summary>
    public ClientOutlet Outlet { get; } = new(client);

    /// <summary>How the gate has ended the connection; null if it has not.</summary>
    public Closing? Closing { get; private set; }

    /// <summary>Opens the way to the backend. From now on the connection ends when the session does.</summary>
    /// <param name="session">The session of the admitted device.</param>
    /// <param name="early">What the client has sent already for the backend, from a boundary between two frames on.</param>
    public void Begin(Session session, ReadOnlyMemory<byte> early = default)
    {
        _early = early;
        _session = session;
        _onClosing = session.ClosingToken.Register(static s => ((SessionPipe)s!).CloseSession(), this);
    }

    /// <summary>Ends the connection: a close frame to the client as soon as one may be sent, and an abort if it does not take it.</summary>
    /// <param name="closing">Why; the first reason stays.</param>
    /// <param name="answer">A whole frame to go before the close frame.</param>
    public void Close(Closing closing, byte[]? answer = null)
    {
        Closing ??= closing;
        ITimer abort = time.CreateTimer(static c => ((HttpContext)c!).Abort(), context, Grace, Timeout.InfiniteTimeSpan);
        if (Interlocked.CompareExchange(ref _abort, abort, comparand: null) is not null)
            abort.Dispose(); // a second one would outlive the request, whose context serves the next one on the connection
        Outlet.Close(closing, answer);
    }

    /// <summary>The client's bytes, as they come. A read for no bytes waits for some without holding a buffer, and so keeps idle connections small.</summary>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_session is not { } session)
            return new ValueTask<int>(0); // nobody was let in
        if (session.Closing is not null)
            return EndAsync(buffer, discarded: 0, cancellationToken);
        if (!_early.IsEmpty)
            return new ValueTask<int>(Pass(buffer, Take(ref _early, buffer)));
        if (_fromClient is { SawClose: true, AtBoundary: true })
            return new ValueTask<int>(0); // the client's last word; and a read that waits would only have to be cancelled when the backend answers

        ValueTask<int> read = client.ReadAsync(buffer, ReadingToken(session, cancellationToken));
        return read.IsCompletedSuccessfully && session.Closing is null
            ? new ValueTask<int>(Pass(buffer, read.Result))
            : AwaitReadAsync(read, buffer, cancellationToken);
    }

    /// <summary>What the backend says.</summary>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        Outlet.WriteAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => client.FlushAsync(cancellationToken);

    /// <summary>Takes note of bytes of the client that will not be relayed. None is from here on.</summary>
    public void Discard(ReadOnlySpan<byte> bytes)
    {
        _lastToBackend ??= _session is not null && _fromClient is { AtBoundary: true, SawClose: false }
            ? FrameWriter.CloseToBackend(Closing.ClientLeft)
            : ReadOnlyMemory<byte>.Empty;
        _fromClient.Advance(_early.Span);
        _early = default;
        _fromClient.Advance(bytes);
    }

    /// <summary>To be called once the tunnel is gone: sees that the client gets its close frame.</summary>
    /// <param name="isStranger">Whether the client was not admitted: it was sent next to nothing, holds a place among the handshakes under way, and is not waited for so long.</param>
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
    /// What the backend reads once the session is over: a close frame as a client would send it, unless that would fall into the middle of a frame, and
    /// then nothing until the tunnel ends. A tunnel that does not end by itself is ended.
    /// </summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="discarded">How many bytes of the client are in there already, which the backend does not get.</param>
    /// <param name="cancellationToken">Cancelled when the tunnel has ended.</param>
    private async ValueTask<int> EndAsync(Memory<byte> buffer, int discarded, CancellationToken cancellationToken)
    {
        // The client's close frame first: the backend would answer the other with its own, which the client would get instead of the reason.
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
            return 0; // the tunnel has ended; thrown, this would be thrown again by everybody on the way out, which is dear
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
    /// Waits until the close frame is out, and then until the client has answered it or left: closing a socket with unread input makes the
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
