using System.Net.Sockets;
using ProxyGateway.DeviceAuth.Files;

namespace ProxyGateway.Operating;

/// <summary>The gateway's Unix socket, from the command line's side.</summary>
internal static class LocalSocket
{
    private const int SocketLevel = 1; // SOL_SOCKET of Linux
    private const int PeerCredentials = 17; // SO_PEERCRED: process, user and group of who listens

    /// <summary>Connects to the gateway.</summary>
    /// <param name="path">Where.</param>
    /// <param name="url">What is asked there.</param>
    /// <param name="key">The key.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="IOException">Nobody listens there, or it is neither this user nor root.</exception>
    /// <exception cref="CommandFailedException">Who listens does not know the key.</exception>
    public static async ValueTask<Stream> ConnectAsync(string path, Uri url, string key, CancellationToken cancellationToken)
    {
        Socket socket = await TryConnectAsync(path, cancellationToken) ?? throw new IOException("nobody of this user or root listens");
        try
        {
            // Root is not yet the gateway: it is systemd, which has opened a socket for another user, or a container that shares the folder.
            await ProvenConnection.ProveAsync(socket, url, "unix:" + path, key, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Connects; null if nobody listens there, or if it is neither this user nor root.</summary>
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
        catch (Exception e) when (e is SocketException or IOException or ArgumentOutOfRangeException) // the last: a path that is too long for a socket
        {
            // As if there were none.
        }
        catch
        {
            socket?.Dispose();
            throw;
        }

        socket?.Dispose();
        return null;
    }

    // The very process that listens, and not who owns the path by now.
    private static bool IsTrusted(Socket socket, string path)
    {
        if (!OperatingSystem.IsLinux())
            return FileStatus.Of(path).IsTrusted && FileTrust.WhyNotFolder(Path.GetDirectoryName(Path.GetFullPath(path))!) is null;
        Span<byte> credentials = stackalloc byte[12];
        return socket.GetRawSocketOption(SocketLevel, PeerCredentials, credentials) == credentials.Length
            && FileStatus.IsTrustedUser(BitConverter.ToUInt32(credentials[4..8]));
    }
}
