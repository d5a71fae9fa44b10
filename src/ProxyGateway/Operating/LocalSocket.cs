using System.Net.Sockets;
using ProxyGateway.DeviceAuth.Files;

namespace ProxyGateway.Operating;

/// <summary>The gateway's Unix socket, for the command line.</summary>
internal static class LocalSocket
{
    private const int SocketLevel = 1; // SOL_SOCKET of Linux
    private const int PeerCredentials = 17; // SO_PEERCRED: process, user and group of the listener

    /// <summary>Connects to the gateway.</summary>
    /// <param name="path">The socket's path.</param>
    /// <param name="url">The address of the request.</param>
    /// <param name="key">The key, which the gateway must know; null: nothing secret will be sent.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="IOException">Nothing listens there, or the listener is neither this user nor root.</exception>
    /// <exception cref="CommandFailedException">The listener does not know the key.</exception>
    public static async ValueTask<Stream> ConnectAsync(string path, Uri url, string? key, CancellationToken cancellationToken)
    {
        Socket socket = await TryConnectAsync(path, cancellationToken) ?? throw new IOException("nobody of this user or root listens");
        try
        {
            // A listener of root's need not be the gateway: systemd may hold the socket for another user, or a container may share the
            // folder.
            if (key is not null)
                await ProvenConnection.ProveAsync(socket, url, "unix:" + path, key, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Connects; null if nothing listens there, or the listener is neither this user nor root.</summary>
    public static async ValueTask<Socket?> TryConnectAsync(string path, CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsWindows() || !File.Exists(path))
            return null;
        Socket? socket = null;
        try
        {
            var end = new UnixDomainSocketEndPoint(path);
            socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(end, cancellationToken);
            if (IsTrusted(socket, path))
                return socket;
        }
        // the last: a path that is too long for a socket
        catch (Exception e) when (e is SocketException or IOException or ArgumentOutOfRangeException)
        {
            // Treated as if there were no socket.
        }
        catch
        {
            socket?.Dispose();
            throw;
        }

        socket?.Dispose();
        return null;
    }

    // Checks the process that listens, since the path may have another owner by now.
    private static bool IsTrusted(Socket socket, string path)
    {
        if (!OperatingSystem.IsLinux())
            return FileStatus.Of(path).IsTrusted && FileTrust.WhyNotFolder(Path.GetDirectoryName(Path.GetFullPath(path))!) is null;
        Span<byte> credentials = stackalloc byte[12];
        return socket.GetRawSocketOption(SocketLevel, PeerCredentials, credentials) == credentials.Length
            && FileStatus.IsTrustedUser(BitConverter.ToUInt32(credentials[4..8]));
    }
}
