using System.IO.Pipelines;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Tests.Handshakes.InMemory;

/// <summary>
/// One end of a connection in memory. It does what a socket's stream does: a read for no bytes waits for some, a write to an end that is closed fails,
/// and closing ends the read that is under way. Two reads at a time throw.
/// </summary>
internal sealed class SocketStream : DuplexStream
{
    private readonly PipeReader _incoming;
    private readonly PipeWriter _outgoing;
    private SocketStream _peer = null!;
    private volatile bool _isClosed;
    private volatile bool _isDisposed;

    private SocketStream(PipeReader incoming, PipeWriter outgoing) => (_incoming, _outgoing) = (incoming, outgoing);

    /// <summary>Whether this end was closed.</summary>
    public bool IsClosed => _isClosed;

    /// <summary>Whether a read is under way.</summary>
    public bool IsReading { get; private set; }

    /// <summary>
    /// Two ends. What is written to <c>Theirs</c> is read of <c>Ours</c> within that very write: after it, all code that waited for it has run as far as it
    /// can, so a test may go on without waiting for that.
    /// </summary>
    /// <param name="room">How many bytes <c>Ours</c> may be ahead of what <c>Theirs</c> has read.</param>
    public static (SocketStream Ours, SocketStream Theirs) Pair(int room = 1 << 20)
    {
        var toOurs = new Pipe(new PipeOptions(readerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 0, useSynchronizationContext: false));
        var toTheirs = new Pipe(new PipeOptions(pauseWriterThreshold: room, resumeWriterThreshold: room / 2, useSynchronizationContext: false));
        var ours = new SocketStream(toOurs.Reader, toTheirs.Writer);
        var theirs = new SocketStream(toTheirs.Reader, toOurs.Writer);
        (ours._peer, theirs._peer) = (theirs, ours);
        return (ours, theirs);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        IsReading = true;
        ReadResult read;
        try
        {
            read = await _incoming.ReadAsync(cancellationToken);
        }
        finally
        {
            IsReading = false;
        }

        if (read.IsCanceled)
            throw new IOException("The connection is closed.");
        int length = (int)Math.Min(buffer.Length, read.Buffer.Length);
        int copied = 0;
        foreach (ReadOnlyMemory<byte> part in read.Buffer.Slice(0, length))
        {
            part.CopyTo(buffer[copied..]);
            copied += part.Length;
        }

        _incoming.AdvanceTo(read.Buffer.GetPosition(length));
        return length;
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        if (_peer._isClosed)
            throw new IOException("The other end is closed.");
        await _outgoing.WriteAsync(buffer, cancellationToken);
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Closes the connection, and leaves what has come already to be read.</summary>
    public void HangUp()
    {
        _isClosed = true;
        _outgoing.Complete();
    }

    /// <summary>Closes the connection in the middle of everything: the other end's reads fail.</summary>
    public void Reset()
    {
        _isClosed = true;
        _outgoing.Complete(new IOException("The connection was reset."));
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isDisposed)
        {
            _isDisposed = true;
            _incoming.CancelPendingRead();
            HangUp();
        }

        base.Dispose(disposing);
    }
}
