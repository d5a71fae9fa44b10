using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// Knows the sockets to Redis, and so whether bytes from there have not been read yet. The gateway's sockets are read on event loops, where
/// a crowd of clients may be handled first: an answer that waits there is not late because of Redis.
/// </summary>
internal sealed class UnreadAnswers : Tunnel
{
    private readonly Lock _lock = new();
    private readonly List<WeakReference<Socket>> _sockets = []; // the client library owns and closes them

    /// <summary>Whether there are bytes to read.</summary>
    public bool Any()
    {
        lock (_lock)
        {
            foreach (WeakReference<Socket> reference in _sockets)
            {
                if (reference.TryGetTarget(out Socket? socket) && IsReadable(socket))
                    return true;
            }
        }

        return false;
    }

    /// <inheritdoc/>
    public override ValueTask BeforeSocketConnectAsync(
        EndPoint endPoint, ConnectionType connectionType, Socket? socket, CancellationToken cancellationToken)
    {
        if (socket is null)
            return default;
        lock (_lock)
        {
            _sockets.RemoveAll(r => !r.TryGetTarget(out Socket? s) || s.SafeHandle.IsClosed);
            _sockets.Add(new WeakReference<Socket>(socket));
        }

        return default;
    }

    private static bool IsReadable(Socket socket)
    {
        try
        {
            return socket.Available > 0;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }
}
