using System.Net.Sockets;
using ProxyGateway.DeviceAuth.Files;

namespace ProxyGateway.Operating;

/// <summary>The gateway's Unix socket, from the command line's side.</summary>
internal static class LocalSocket
{
    private const int SocketLevel = 1; // SOL_SOCKET of Linux
    private const int PeerCredentials = 17; // SO_PEERCRED: process, user and group of who listens

    /// <summary>Connects.</summary>
    /// <exception cref="IOException">Nobody listens there, or it is neither this user nor root.</exception>
    public static async ValueTask<Stream> ConnectAsync(string path, CancellationToken cancellationToken) =>
        await TryConnectAsync(path, cancellationToken) ?? throw new IOException("nobody of this user or root listens");

    /// <summary>Connects; null if nobody listens there, or if it is neither this user nor root.</summary>
    public static async ValueTask<Stream?> TryConnectAsync(string path, CancellationToken cancellationToken)
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
                return new NetworkStream(socket, ownsSocket: true);
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
