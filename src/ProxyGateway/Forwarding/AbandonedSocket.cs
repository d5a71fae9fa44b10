using System.Net.Sockets;
using ProxyGateway.DeviceAuth.Files;

namespace ProxyGateway.Forwarding;

/// <summary>A Unix socket that a process left which ended without removing it.</summary>
internal static class AbandonedSocket
{
    /// <summary>Removes it, if nobody listens on it.</summary>
    /// <exception cref="IOException">Somebody listens on it, or it is another file.</exception>
    public static void Remove(string path)
    {
        if (!Path.Exists(path))
            return;
        if (!FileStatus.Of(path).IsSocket || new FileInfo(path).LinkTarget is not null)
            throw new IOException($"{path} is no socket");
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
            return;
        }
        catch (SocketException e)
        {
            throw new IOException($"{path}: {e.Message}", e);
        }

        throw new IOException($"Another process listens on {path}");
    }
}
