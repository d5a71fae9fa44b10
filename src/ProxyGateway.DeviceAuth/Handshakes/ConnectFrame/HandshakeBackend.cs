using System.Buffers;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>The backend's end of a connection during the handshake. A backend that leaves is a result here, not an exception.</summary>
/// <param name="stream">The backend's raw stream.</param>
internal sealed class HandshakeBackend(Stream stream) : IDisposable
{
    private const int MaxChallengeBytes = 16 * 1024; // it is parsed on the event loop
    private const int ReceiveSize = 4096;
    private const int RelaySize = 16 * 1024;

    // A zero-byte read, which holds no memory while the backend is silent. Only closing the connection could end it, so the next read
    // continues from it.
    private Task<int>? _speaks;

    /// <summary>The backend's bytes before the decision.</summary>
    public MessageReader Received { get; } = new(FrameSource.Backend, MaxChallengeBytes);

    /// <summary>Whether a read is under way.</summary>
    public bool IsWatched => _speaks is not null;

    /// <summary>Keeps a read under way from now on. The task ends when the backend sends bytes or leaves.</summary>
    public Task WatchAsync() => _speaks ??= stream.ReadAsync(Memory<byte>.Empty, CancellationToken.None).AsTask();

    /// <summary>Receives more bytes. False if the backend has left, or the wait was cancelled.</summary>
    public async Task<bool> ReceiveAsync(CancellationToken patience)
    {
        try
        {
            if (_speaks is null)
                _ = await stream.ReadAsync(Memory<byte>.Empty, patience);
            else
                _ = await _speaks.WaitAsync(patience);
            _speaks = null;
            int length = await stream.ReadAsync(Received.Reserve(ReceiveSize), patience);
            Received.Received(length);
            return length > 0;
        }
        catch (Exception e) when (IsEnd(e))
        {
            return false;
        }
    }

    /// <summary>Sends whole frames. False if the backend has left, or the wait was cancelled.</summary>
    public async Task<bool> TrySendAsync(ReadOnlyMemory<byte> frames, CancellationToken patience)
    {
        try
        {
            await stream.WriteAsync(frames, patience);
            await stream.FlushAsync(patience); // over HTTP/2 nothing is sent without a flush
            return true;
        }
        catch (Exception e) when (IsEnd(e))
        {
            return false;
        }
    }

    /// <summary>Relays the received bytes that are still held, and then all others, until the backend or the client leaves.</summary>
    /// <param name="pass">Passes bytes on. False to stop relaying.</param>
    public async Task RelayAsync(Func<ReadOnlyMemory<byte>, ValueTask<bool>> pass)
    {
        try
        {
            bool goesOn = Received.Rest.IsEmpty || await pass(Received.Rest);
            Received.Dispose();
            while (goesOn)
            {
                _ = await (_speaks ??= stream.ReadAsync(Memory<byte>.Empty, CancellationToken.None).AsTask());
                _speaks = null;
                byte[] buffer = ArrayPool<byte>.Shared.Rent(RelaySize);
                try
                {
                    int length = await stream.ReadAsync(buffer, CancellationToken.None);
                    goesOn = length > 0 && await pass(buffer.AsMemory(0, length));
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                }
            }
        }
        catch (Exception e) when (IsEnd(e))
        {
            // The backend or the client has left.
        }
    }

    /// <summary>Closes the connection.</summary>
    public async ValueTask CloseAsync()
    {
        try
        {
            await stream.DisposeAsync();
        }
        catch (Exception e) when (IsEnd(e))
        {
            // The backend had already left.
        }

        if (_speaks is { } speaks)
            await ((Task)speaks).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Returns the memory. The connection stays open.</summary>
    public void Dispose() => Received.Dispose();

    private static bool IsEnd(Exception e) => e is IOException or OperationCanceledException or ObjectDisposedException;
}
