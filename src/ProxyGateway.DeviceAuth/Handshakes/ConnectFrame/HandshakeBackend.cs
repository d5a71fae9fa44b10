using System.Buffers;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>The backend's end of a connection during the handshake. That a backend leaves is a result here, and no exception.</summary>
/// <param name="stream">The backend's raw stream.</param>
internal sealed class HandshakeBackend(Stream stream) : IDisposable
{
    private const int MaxChallengeBytes = 16 * 1024; // it is read on the event loop
    private const int ReceiveSize = 4096;
    private const int RelaySize = 16 * 1024;

    // A read for no bytes, which holds no memory while the backend is silent. Only closing the connection could end it: the next read goes on from it.
    private Task<int>? _speaks;

    /// <summary>What the backend has sent before the decision.</summary>
    public MessageReader Received { get; } = new(FrameSource.Backend, MaxChallengeBytes);

    /// <summary>Whether a read is under way.</summary>
    public bool IsWatched => _speaks is not null;

    /// <summary>Has a read under way from now on. The task ends when the backend speaks or leaves.</summary>
    public Task WatchAsync() => _speaks ??= stream.ReadAsync(Memory<byte>.Empty, CancellationToken.None).AsTask();

    /// <summary>Receives more. False if the backend has left, or there is no more waiting.</summary>
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

    /// <summary>Sends whole frames. False if the backend has left, or there is no more waiting.</summary>
    public async Task<bool> TrySendAsync(ReadOnlyMemory<byte> frames, CancellationToken patience)
    {
        try
        {
            await stream.WriteAsync(frames, patience);
            await stream.FlushAsync(patience); // over HTTP/2 nothing goes out by itself
            return true;
        }
        catch (Exception e) when (IsEnd(e))
        {
            return false;
        }
    }

    /// <summary>Relays what was received and is still held, and then what comes, until the backend or the client leaves.</summary>
    /// <param name="pass">Passes it on. False to relay no more.</param>
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
            // One of them has left.
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
            // It had left already.
        }

        if (_speaks is { } speaks)
            await ((Task)speaks).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Gives the memory back. The connection stays as it is.</summary>
    public void Dispose() => Received.Dispose();

    private static bool IsEnd(Exception e) => e is IOException or OperationCanceledException or ObjectDisposedException;
}
