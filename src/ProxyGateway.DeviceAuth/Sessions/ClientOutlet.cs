using System.Runtime.CompilerServices;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// The way to the client: relays the backend's bytes as they are, and puts a close frame between two frames on request. There is one
/// writer (the tunnel); anybody may close.
/// </summary>
/// <param name="client">The upgraded stream.</param>
internal sealed class ClientOutlet(Stream client)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _completion; // made when it is asked for: most connections end without
    private FrameTracker _tracker;
    private bool _writing;
    private bool _closed;
    private byte[]? _closeFrame;

    /// <summary>Completes once a close frame was sent, or can no longer be sent. Nothing goes to the client after that.</summary>
    public Task Completion => NeedCompletion().Task;

    /// <summary>
    /// Relays bytes of the backend; after the close frame they are swallowed. Nothing is allocated here: where the client is slower than
    /// the backend, the state machine is a pooled one.
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

    /// <summary>Has a close frame sent at the next boundary between two frames, which may be now. Only the first call counts.</summary>
    /// <param name="closing">Why.</param>
    /// <param name="answer">A whole frame to go before it.</param>
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

    /// <summary>The backend sends nothing more. False if it ended in the middle of a frame, where no close frame may be put any more.</summary>
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
            // The client is gone: there is nobody to close to.
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
