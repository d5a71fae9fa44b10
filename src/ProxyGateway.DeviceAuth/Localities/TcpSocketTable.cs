using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>A TCP socket of this machine, as the kernel knows it.</summary>
/// <param name="IsEstablished">Whether its connection is open in both directions.</param>
/// <param name="IsOwned">Whether a process owns it; a socket that its process has closed lives on without an owner.</param>
/// <param name="UserId">The user who made it, as numbered in this process's user namespace.</param>
internal readonly record struct TcpSocket(bool IsEstablished, bool IsOwned, uint UserId);

/// <summary>
/// The kernel's table of TCP sockets by netlink, sock_diag(7): one query about one socket, which costs the same with any number of sockets.
/// Linux only. The table is that of this process's network namespace.
/// </summary>
internal static partial class TcpSocketTable
{
    /// <summary>Matches any socket with these ends, in place of a socket's cookie.</summary>
    public const ulong AnyCookie = ulong.MaxValue; // INET_DIAG_NOCOOKIE, twice

    private const int Netlink = 16; // AF_NETLINK, and so on, of Linux
    private const int DatagramSocket = 2;
    private const int CloseOnExec = 0x80000;
    private const int SocketDiagnosis = 4; // NETLINK_SOCK_DIAG
    private const int DontWait = 0x40;

    private static int _sequence;

    // Opening and closing one takes twice as long as a query.
    [ThreadStatic]
    private static SafeFileHandle? _netlink;

    /// <summary>The socket with these ends; null if there is none, or only one with another cookie.</summary>
    /// <param name="local">Its own end.</param>
    /// <param name="remote">The other end.</param>
    /// <param name="cookie">Distinguishes it from other sockets that have or had the same ends; or <see cref="AnyCookie"/>.</param>
    /// <exception cref="SocketException">The kernel refuses the query.</exception>
    public static TcpSocket? Find(IPEndPoint local, IPEndPoint remote, ulong cookie)
    {
        (local, remote) = (Unmap(local), Unmap(remote));
        if (local.AddressFamily != remote.AddressFamily)
            return null;

        SafeFileHandle netlink = _netlink ?? Open();
        _netlink = null; // after a failure an answer might still come
        try
        {
            // An IPv6 socket may have connected to an IPv4 address. Kernels find it in either family; this code does not rely on it.
            TcpSocket? found = Ask(netlink, local, remote, cookie)
                ?? (local.AddressFamily == AddressFamily.InterNetworkV6 ? null : Ask(netlink, Map(local), Map(remote), cookie));
            _netlink = netlink;
            return found;
        }
        finally
        {
            if (_netlink is null)
                netlink.Dispose();
        }
    }

    private static SafeFileHandle Open()
    {
        SafeFileHandle netlink = OpenSocket(Netlink, DatagramSocket | CloseOnExec, SocketDiagnosis);
        return netlink.IsInvalid ? throw LastError() : netlink;
    }

    private static TcpSocket? Ask(SafeFileHandle netlink, IPEndPoint local, IPEndPoint remote, ulong cookie)
    {
        uint sequence = (uint)Interlocked.Increment(ref _sequence);
        Span<byte> query = stackalloc byte[TcpSocketQuery.Length];
        TcpSocketQuery.Write(query, sequence, local, remote, cookie);

        // An unbound socket sends to port 0, the kernel, which handles the request before send returns. So there is nothing to wait for.
        if (Send(netlink, query, (nuint)query.Length, 0) != query.Length)
            throw LastError();
        Span<byte> answer = stackalloc byte[1024];
        Span<uint> sender = stackalloc uint[3]; // struct sockaddr_nl: family, port, groups
        int senderLength = 12;
        nint length = ReceiveFrom(netlink, answer, (nuint)answer.Length, DontWait, sender, ref senderLength);
        if (length < 0)
            throw LastError();
        bool isOfKernel = senderLength == 12 && sender[1] == 0;
        if (!isOfKernel)
            throw new SocketException((int)SocketError.ProtocolNotSupported);
        return TcpSocketQuery.ReadAnswer(answer[..(int)length], sequence, PortOf(netlink), local, remote);
    }

    private static uint PortOf(SafeFileHandle netlink)
    {
        Span<uint> own = stackalloc uint[3];
        int length = 12;
        return GetSocketName(netlink, own, ref length) == 0 ? own[1] : throw LastError();
    }

    private static IPEndPoint Unmap(IPEndPoint end) => end.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(end.Address.MapToIPv4(), end.Port) : end;

    private static IPEndPoint Map(IPEndPoint end) => new(end.Address.MapToIPv6(), end.Port);

    private static SocketException LastError() => TcpSocketQuery.Error(Marshal.GetLastPInvokeError());

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial SafeFileHandle OpenSocket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static partial nint Send(SafeFileHandle socket, ReadOnlySpan<byte> buffer, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "recvfrom", SetLastError = true)]
    private static partial nint ReceiveFrom(SafeFileHandle socket, Span<byte> buffer, nuint length, int flags, Span<uint> sender, ref int senderLength);

    [LibraryImport("libc", EntryPoint = "getsockname", SetLastError = true)]
    private static partial int GetSocketName(SafeFileHandle socket, Span<uint> name, ref int length);
}
