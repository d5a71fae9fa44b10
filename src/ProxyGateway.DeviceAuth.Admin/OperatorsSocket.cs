using System.Net.Sockets;
using ProxyGateway.DeviceAuth.Files;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// The Unix socket by which this machine's operators reach the gateway. Unlike a port, another user cannot take it while the gateway is
/// down: only the gateway's user and root may use or replace it. Of several gateways in one folder, or on one volume, only the one that
/// holds the lock beside it makes, replaces or removes it.
/// </summary>
internal sealed class OperatorsSocket : IDisposable
{
    private const string LockSuffix = ".lock";
    private const UnixFileMode OwnersFolder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OwnersFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly FileStream _lock;
    private readonly (uint Major, uint Minor, ulong Inode) _identity;
    private int _isRemoved;

    private OperatorsSocket(string path, Socket socket, FileStream @lock, (uint Major, uint Minor, ulong Inode) identity)
    {
        Path = path;
        Socket = socket;
        _lock = @lock;
        _identity = identity;
    }

    public string Path { get; }

    /// <summary>The bound socket; the server listens on it and closes it.</summary>
    public Socket Socket { get; }

    /// <summary>Makes the socket. A socket that an earlier gateway left is replaced, one on which a gateway listens is not.</summary>
    /// <exception cref="IOException">Another process listens there, or it is another file, or it cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be made.</exception>
    public static OperatorsSocket Bind(string path)
    {
        string folder = System.IO.Path.GetDirectoryName(path) is { Length: > 0 } parent ? parent : ".";
        if (!OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder, OwnersFolder);
        FileStream @lock = Lock(path);
        try
        {
            RefuseLive(path);
            (Socket socket, (uint, uint, ulong) identity) = Make(path, folder);
            return new OperatorsSocket(path, socket, @lock, identity);
        }
        catch
        {
            @lock.Dispose();
            throw;
        }
    }

    /// <summary>Removes the socket's file, unless another file has taken its place.</summary>
    public void Remove()
    {
        if (Interlocked.Exchange(ref _isRemoved, 1) != 0)
            return;
        using (_lock)
        {
            if (System.IO.Path.Exists(Path) && FileStatus.Of(Path).Identity == _identity)
                File.Delete(Path);
        }
    }

    public void Dispose()
    {
        Remove();
        Socket.Dispose();
    }

    // Held while the socket's file exists, and released with the process, however that ends. On a volume that hosts share, a live socket of
    // another host looks like an abandoned one; the lock does not. The lock file stays: removing one while another process waits for it
    // would let two processes hold it.
    private static FileStream Lock(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = OwnersFile;
        try
        {
            return new FileStream(path + LockSuffix, options);
        }
        catch (IOException e) when (File.Exists(path + LockSuffix))
        {
            throw new IOException($"The socket {path} is in use by another process, which holds {path}{LockSuffix}: {e.Message}", e);
        }
    }

    private static (Socket Socket, (uint Major, uint Minor, ulong Inode) Identity) Make(string path, string folder)
    {
        // The process-wide umask sets the mode of a socket. In a private folder nobody can reach it before it has the right mode.
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
            (uint, uint, ulong) identity = FileStatus.Of(draft).Identity;
            File.Move(draft, path, overwrite: true);
            return (socket, identity);
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
            return; // nothing listens on it any more
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            throw new IOException($"{path} is there, and is not a socket that a gateway has left behind: {e.Message}", e);
        }

        throw new IOException($"The socket {path} is in use by another process");
    }
}
