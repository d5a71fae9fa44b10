using System.Runtime.CompilerServices;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// Writes to the client: relays the backend's bytes unchanged, and on request puts a close frame between two frames. There is one writer
/// (the tunnel); any thread may close.
/// </summary>
/// <param name="client">The upgraded stream.</param>
internal sealed class ClientOutlet(Stream client)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _completion; // made on demand: most connections end without it
    private FrameTracker _tracker;
    private bool _writing;
    private bool _closed;
    private byte[]? _closeFrame;

    /// <summary>Completes once a close frame was sent, or can no longer be sent. The client gets nothing after that.</summary>
    public Task Completion => NeedCompletion().Task;

    /// <summary>
    /// Relays bytes of the backend; after the close frame it discards them. It allocates nothing: where the client is slower than the
    /// backend, the state machine is pooled.
    /// </summary>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_closed)
                return default;
            _writing = true;
            if (_closeFrame is null)
                _tracker.Advance(data.Span);
            else
                data = data[.._tracker.AdvanceToBoundary(data.Span)]; // the rest of this frame is the last that the client gets
        }

        ValueTask write;
        try
        {
            write = client.WriteAsync(data, cancellationToken);
        }
        catch
        {
            Abandon();
            throw;
        }

        if (!write.IsCompletedSuccessfully)
            return AwaitWriteAsync(write);
        write.GetAwaiter().GetResult();
        return EndWrite();
    }

    /// <summary>Requests a close frame at the next boundary between two frames, which may be now. Only the first call counts.</summary>
    /// <param name="closing">The close code and reason.</param>
    /// <param name="answer">A whole frame to send before it.</param>
    public void Close(Closing closing, byte[]? answer = null)
    {
        byte[] close = FrameWriter.CloseToClient(closing);
        lock (_lock)
        {
            if (_closeFrame is not null)
                return;
            _closeFrame = answer is null ? close : [.. answer, .. close];
            if (_writing || _closed || !_tracker.AtBoundary)
                return; // the writer sends it
            _closed = true;
        }

        _ = SendCloseFrameAsync();
    }

    /// <summary>The backend sends nothing more. False if it ended in the middle of a frame, so that no close frame can follow.</summary>
    public bool TryEnd()
    {
        lock (_lock)
        {
            if (_closed || _tracker.AtBoundary)
                return true;
            _closed = true;
        }

        NeedCompletion().TrySetResult();
        return false;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask AwaitWriteAsync(ValueTask write)
    {
        try
        {
            await write;
        }
        catch
        {
            Abandon();
            throw;
        }

        await EndWrite();
    }

    private ValueTask EndWrite()
    {
        lock (_lock)
        {
            _writing = false;
            if (_closeFrame is null || !_tracker.AtBoundary)
                return default;
            _closed = true;
        }

        return new ValueTask(SendCloseFrameAsync());
    }

    private async Task SendCloseFrameAsync()
    {
        try
        {
            if (!_tracker.SawClose) // nothing may follow the backend's own close frame
                await client.WriteAsync(_closeFrame);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // The client is gone.
        }
        finally
        {
            NeedCompletion().TrySetResult();
        }
    }

    private void Abandon()
    {
        lock (_lock)
        {
            (_writing, _closed) = (false, true);
        }

        NeedCompletion().TrySetResult();
    }

    private TaskCompletionSource NeedCompletion()
    {
        lock (_lock)
        {
            return _completion ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
