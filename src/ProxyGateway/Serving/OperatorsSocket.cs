using System.Net.Sockets;
using ProxyGateway.DeviceAuth.Files;

namespace ProxyGateway.Serving;

/// <summary>
/// The Unix socket by which this machine's operators reach the gateway. Unlike a port it cannot be taken by another user while the gateway is
/// down: only the gateway's user and root may use it, or put another in its place.
/// </summary>
internal sealed class OperatorsSocket : IDisposable
{
    private const UnixFileMode OwnersFolder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OwnersFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private int _isRemoved;

    private OperatorsSocket(string path, Socket socket)
    {
        Path = path;
        Socket = socket;
    }

    public string Path { get; }

    /// <summary>The socket, bound; the server listens on it and closes it.</summary>
    public Socket Socket { get; }

    /// <summary>Makes the socket; one that a gateway has left behind is replaced, one that a gateway listens on is not.</summary>
    /// <exception cref="IOException">Somebody listens there, or there is something else, or it cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be made.</exception>
    public static OperatorsSocket Bind(string path)
    {
        string folder = System.IO.Path.GetDirectoryName(path) is { Length: > 0 } parent ? parent : ".";
        if (!OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder, OwnersFolder);
        RefuseLive(path);

        // A socket has the mode that the process-wide umask gives it. In a folder of its own nobody reaches it before it has the right one.
        string draftFolder = System.IO.Path.Combine(folder, "." + System.IO.Path.GetRandomFileName()[..8]);
        string draft = System.IO.Path.Combine(draftFolder, "s");
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (!OperatingSystem.IsWindows())
                Directory.CreateDirectory(draftFolder, OwnersFolder);
            socket.Bind(new UnixDomainSocketEndPoint(draft));
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(draft, OwnersFile);
            File.Move(draft, path, overwrite: true);
            return new OperatorsSocket(path, socket);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            socket.Dispose();
            throw new IOException($"The socket {path} cannot be made: {e.Message}", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        finally
        {
            if (Directory.Exists(draftFolder))
                Directory.Delete(draftFolder, recursive: true);
        }
    }

    /// <summary>Takes the socket's name away. To be called while it still listens: then nobody else can have taken the name over.</summary>
    public void Remove()
    {
        if (Interlocked.Exchange(ref _isRemoved, 1) == 0)
            File.Delete(Path);
    }

    public void Dispose()
    {
        Remove();
        Socket.Dispose();
    }

    private static void RefuseLive(string path)
    {
        if (!System.IO.Path.Exists(path))
            return;
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused && new FileInfo(path).LinkTarget is null && FileStatus.Of(path).IsSocket)
        {
            return; // nobody listens on it any more
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            throw new IOException($"{path} is there, and is not a socket that a gateway has left behind: {e.Message}", e);
        }

        throw new IOException($"The socket {path} is in use by another process");
    }
}
