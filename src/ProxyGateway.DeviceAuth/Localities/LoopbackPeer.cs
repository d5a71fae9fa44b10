using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>Finds the operating-system user at the other end of a loopback socket. Linux only: elsewhere nobody can tell.</summary>
internal static class LoopbackPeer
{
    private const string Established = "01";

    /// <summary>The user who owns the client's end of the connection; unknown unless that is certain.</summary>
    public static PeerUser FindUser(HttpContext context)
    {
        if (!OperatingSystem.IsLinux() || context.Features.Get<IConnectionSocketFeature>()?.Socket is not { } socket)
            return PeerUser.Unknown;
        try
        {
            return (socket.RemoteEndPoint, socket.LocalEndPoint) switch
            {
                (UnixDomainSocketEndPoint, _) => OfUnixSocket(socket),
                (IPEndPoint peer, IPEndPoint own) => OfTcpSocket(peer, own),
                _ => PeerUser.Unknown,
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException or ObjectDisposedException)
        {
            return PeerUser.Unknown;
        }
    }

    private static PeerUser OfUnixSocket(Socket socket)
    {
        const int level = 1; // SOL_SOCKET
        const int option = 17; // SO_PEERCRED, socket(7): the credentials at the time of connect
        Span<byte> credentials = stackalloc byte[12]; // pid, uid, gid
        return socket.GetRawSocketOption(level, option, credentials) == credentials.Length
            ? PeerUser.Known(MemoryMarshal.Read<uint>(credentials[4..]))
            : PeerUser.Unknown;
    }

    /// <summary>
    /// The kernel's table of TCP sockets, proc_pid_net(5), names the owner of each. The peer's socket is the one whose two ends are ours
    /// swapped, in the table of its own family: a client on an IPv6 socket may have dialled an IPv4 address.
    /// </summary>
    private static PeerUser OfTcpSocket(IPEndPoint peer, IPEndPoint own)
    {
        foreach ((string table, bool isIPv6) in (ReadOnlySpan<(string, bool)>)[("/proc/net/tcp", false), ("/proc/net/tcp6", true)])
        {
            if ((Format(peer, isIPv6), Format(own, isIPv6)) is not ({ } local, { } remote) || !File.Exists(table))
                continue;
            foreach (string line in File.ReadLines(table))
            {
                string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length < 10 || fields[1] != local || fields[2] != remote)
                    continue;

                // Once its process has closed it, a socket lives on without an inode, and shows user 0.
                bool isOwned = fields[3] == Established && fields[9] != "0";
                return isOwned && uint.TryParse(fields[7], CultureInfo.InvariantCulture, out uint user)
                    ? PeerUser.Known(user)
                    : PeerUser.Unknown;
            }
        }

        return PeerUser.Unknown;
    }

    /// <summary>An end point as the table prints it: each 32-bit word of the address as a number in the machine's byte order.</summary>
    private static string? Format(IPEndPoint endpoint, bool asIPv6)
    {
        IPAddress address = endpoint.Address.IsIPv4MappedToIPv6 ? endpoint.Address.MapToIPv4() : endpoint.Address;
        if (asIPv6)
            address = address.MapToIPv6();
        else if (address.AddressFamily != AddressFamily.InterNetwork)
            return null;

        byte[] bytes = address.GetAddressBytes();
        var text = new System.Text.StringBuilder(40);
        for (int i = 0; i < bytes.Length; i += 4)
        {
            uint word = BitConverter.IsLittleEndian
                ? BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(i))
                : BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(i));
            text.Append(CultureInfo.InvariantCulture, $"{word:X8}");
        }

        return text.Append(CultureInfo.InvariantCulture, $":{endpoint.Port:X4}").ToString();
    }
}
