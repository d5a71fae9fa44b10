using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>Finds a TCP socket by its ends and its cookie; see <see cref="TcpSocketTable.Find"/>.</summary>
internal delegate TcpSocket? FindTcpSocket(IPEndPoint local, IPEndPoint remote, ulong cookie);

/// <summary>Finds the operating-system user at the other end of a loopback socket. Linux only: elsewhere the user is unknown.</summary>
internal sealed partial class LoopbackPeers(PacedLogger<LoopbackPeers> logger, FindTcpSocket find)
{
    // From socket(7) and tcp(7).
    private const int SocketLevel = 1;
    private const int PeerCredentials = 17;
    private const int SocketCookie = 57;
    private const int TcpLevel = 6;
    private const int TcpInfo = 11;
    private const byte Established = 1;

    // The other end of a connection stays the same socket, and its owner is who made it. Only what is certain is kept.
    private readonly ConditionalWeakTable<Socket, object> _known = [];

    public LoopbackPeers(PacedLogger<LoopbackPeers> logger)
        : this(logger, TcpSocketTable.Find)
    {
    }

    /// <summary>
    /// A function that finds the user who owns the client's end of the request's connection; unknown unless that is certain. It may be
    /// called at any time, and more than once: also after the request or the connection has ended. The kernel is asked once for all requests of a connection.
    /// </summary>
    public Func<PeerUser> Of(HttpContext context)
    {
        // When the request has ended, its context serves another request; the socket never does.
        Socket? socket = OperatingSystem.IsLinux() ? context.Features.Get<IConnectionSocketFeature>()?.Socket : null;
        return socket is null ? static () => PeerUser.Unknown : () => FindOnce(socket);
    }

    /// <summary>The user who owns the other end of this socket; unknown unless that is certain.</summary>
    public PeerUser FindUser(Socket socket)
    {
        try
        {
            return (socket.RemoteEndPoint, socket.LocalEndPoint) switch
            {
                (UnixDomainSocketEndPoint, _) => OfUnixSocket(socket),
                (IPEndPoint peer, IPEndPoint own) => OfTcpSocket(socket, peer, own),
                _ => PeerUser.Unknown,
            };
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return PeerUser.Unknown; // the connection is gone
        }
    }

    private PeerUser FindOnce(Socket socket)
    {
        if (_known.TryGetValue(socket, out object? known))
            return (PeerUser)known;
        PeerUser found = FindUser(socket);
        if (found.State == PeerUserState.Known)
            _known.AddOrUpdate(socket, found);
        return found;
    }

    private static PeerUser OfUnixSocket(Socket socket)
    {
        Span<byte> credentials = stackalloc byte[12]; // at the time of connect: pid, uid, gid
        return socket.GetRawSocketOption(SocketLevel, PeerCredentials, credentials) == credentials.Length
            ? Known(MemoryMarshal.Read<uint>(credentials[4..]))
            : PeerUser.Unknown;
    }

    /// <summary>
    /// The peer's socket is the one with our two ends swapped. That alone proves nothing: the peer may have reset its connection, and
    /// another process may have taken the same port. But while our socket is connected, no other socket can be connected to this port from
    /// there without being connected to ours. So ours is checked again <em>after</em> the answer: a socket that is no longer ESTABLISHED
    /// never is again.
    /// </summary>
    private PeerUser OfTcpSocket(Socket socket, IPEndPoint peer, IPEndPoint own)
    {
        TcpSocket? theirs;
        try
        {
            // If the table lacks our own socket, it is another network's: a listener may have been made in another namespace.
            if (find(own, peer, CookieOf(socket)) is null)
            {
                if (IsEstablished(socket))
                    LogNotInTable();
                return PeerUser.Unknown;
            }

            theirs = find(peer, own, TcpSocketTable.AnyCookie);
        }
        catch (Exception e) when (e is SocketException or EntryPointNotFoundException or DllNotFoundException)
        {
            LogCannotAsk(e.Message);
            return PeerUser.Unknown;
        }

        return theirs is { IsEstablished: true, IsOwned: true } && IsEstablished(socket) ? Known(theirs.Value.UserId) : PeerUser.Unknown;
    }

    private static PeerUser Known(uint user) => user == OverflowUser.Id ? PeerUser.Unknown : PeerUser.Known(user);

    private static bool IsEstablished(Socket socket)
    {
        Span<byte> info = stackalloc byte[8]; // struct tcp_info begins with the state
        return socket.GetRawSocketOption(TcpLevel, TcpInfo, info) > 0 && info[0] == Established;
    }

    private static ulong CookieOf(Socket socket)
    {
        Span<byte> cookie = stackalloc byte[8];
        return socket.GetRawSocketOption(SocketLevel, SocketCookie, cookie) == cookie.Length
            ? MemoryMarshal.Read<ulong>(cookie)
            : throw new SocketException((int)SocketError.ProtocolOption);
    }

    [LoggerMessage(1211, LogLevel.Warning, "The kernel does not report the user at the other end of a loopback connection ({Reason}): the user is unknown, and rules with Users do not match.")]
    private partial void LogCannotAsk(string reason);

    [LoggerMessage(1212, LogLevel.Warning, "The kernel's table of sockets lacks a connection of the gateway: the kernel has no TCP diagnosis, or the listener belongs to another network namespace. The connection's user is unknown, and rules with Users do not match.")]
    private partial void LogNotInTable();
}
