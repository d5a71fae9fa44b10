using System.Buffers.Binary;
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

    private const int InterNetwork = 2; // AF_INET, and so on, of Linux
    private const int InterNetworkV6 = 10;
    private const int Netlink = 16;
    private const int DatagramSocket = 2;
    private const int CloseOnExec = 0x80000;
    private const int SocketDiagnosis = 4; // NETLINK_SOCK_DIAG
    private const int DontWait = 0x40;
    private const int NoSuchEntry = 2; // ENOENT
    private const int StaleHandle = 116; // ESTALE: another cookie
    private const byte Tcp = 6;
    private const byte Established = 1;

    private const int HeaderLength = 16; // struct nlmsghdr
    private const int EndsOffset = HeaderLength + 8; // in a request, struct inet_diag_req_v2; then struct inet_diag_sockid
    private const int RequestLength = HeaderLength + 56;
    private const int AnswerLength = HeaderLength + 72; // struct inet_diag_msg
    private const ushort ErrorMessage = 2; // NLMSG_ERROR
    private const ushort ByFamily = 20; // SOCK_DIAG_BY_FAMILY
    private const ushort IsRequest = 1; // NLM_F_REQUEST

    private static int _sequence;

    private static ReadOnlySpan<byte> MappedPrefix => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]; // RFC 4291 §2.5.5.2

    /// <summary>The socket with these ends; null if there is none, or only one with another cookie.</summary>
    /// <param name="local">Its own end.</param>
    /// <param name="remote">The other end.</param>
    /// <param name="cookie">Distinguishes it from other sockets that have or had the same ends; or <see cref="AnyCookie"/>.</param>
    /// <exception cref="SocketException">The kernel refuses the query.</exception>
    public static TcpSocket? Find(IPEndPoint local, IPEndPoint remote, ulong cookie)
    {
        (IPAddress localAddress, IPAddress remoteAddress) = (Unmap(local.Address), Unmap(remote.Address));
        if (localAddress.AddressFamily != remoteAddress.AddressFamily)
            return null;

        using SafeFileHandle netlink = OpenSocket(Netlink, DatagramSocket | CloseOnExec, SocketDiagnosis);
        if (netlink.IsInvalid)
            throw LastError();

        // An IPv6 socket may have connected to an IPv4 address. Kernels find it in either family; this code does not rely on it.
        bool isIPv6 = localAddress.AddressFamily == AddressFamily.InterNetworkV6;
        return Ask(netlink, isIPv6 ? InterNetworkV6 : InterNetwork, (localAddress, local.Port), (remoteAddress, remote.Port), cookie)
            ?? (isIPv6 ? null : Ask(netlink, InterNetworkV6, (localAddress.MapToIPv6(), local.Port), (remoteAddress.MapToIPv6(), remote.Port), cookie));
    }

    private static TcpSocket? Ask(
        SafeFileHandle netlink, int family, (IPAddress Address, int Port) local, (IPAddress Address, int Port) remote, ulong cookie)
    {
        uint sequence = (uint)Interlocked.Increment(ref _sequence);
        Span<byte> request = stackalloc byte[RequestLength];
        request.Clear();
        MemoryMarshal.Write(request, (uint)RequestLength);
        MemoryMarshal.Write(request[4..], ByFamily);
        MemoryMarshal.Write(request[6..], IsRequest);
        MemoryMarshal.Write(request[8..], sequence);
        request[HeaderLength] = (byte)family;
        request[HeaderLength + 1] = Tcp;
        // all states: the kernel ignores this when it is asked for one socket
        MemoryMarshal.Write(request[(HeaderLength + 4)..], uint.MaxValue);
        Span<byte> ends = request[EndsOffset..];
        BinaryPrimitives.WriteUInt16BigEndian(ends, (ushort)local.Port);
        BinaryPrimitives.WriteUInt16BigEndian(ends[2..], (ushort)remote.Port);
        local.Address.TryWriteBytes(ends[4..], out _);
        remote.Address.TryWriteBytes(ends[20..], out _);
        MemoryMarshal.Write(ends[40..], cookie);

        // An unbound socket sends to port 0, the kernel, which handles the request before send returns. So there is nothing to wait for.
        if (Send(netlink, request, (nuint)request.Length, 0) != request.Length)
            throw LastError();
        Span<byte> answer = stackalloc byte[1024];
        Span<uint> sender = stackalloc uint[3]; // struct sockaddr_nl: family, port, groups
        int senderLength = 12;
        nint length = ReceiveFrom(netlink, answer, (nuint)answer.Length, DontWait, sender, ref senderLength);
        if (length < 0)
            throw LastError();

        bool isOfKernel = senderLength == 12 && sender[1] == 0;
        if (!isOfKernel || length < HeaderLength + 4 || MemoryMarshal.Read<uint>(answer[8..]) != sequence || MemoryMarshal.Read<uint>(answer[12..]) != PortOf(netlink))
            throw new SocketException((int)SocketError.ProtocolNotSupported);
        ushort type = MemoryMarshal.Read<ushort>(answer[4..]);
        if (type == ErrorMessage)
        {
            int error = -MemoryMarshal.Read<int>(answer[HeaderLength..]);
            return error is NoSuchEntry or StaleHandle ? null : throw Error(error);
        }

        if (type != ByFamily || length < AnswerLength)
            throw new SocketException((int)SocketError.ProtocolNotSupported);
        ReadOnlySpan<byte> message = answer[HeaderLength..AnswerLength];

        // The kernel falls back to a socket that listens on the port.
        ReadOnlySpan<byte> found = message[4..];
        if (!found[..4].SequenceEqual(ends[..4]) || !IsAddress(found[4..20], message[0], local.Address) || !IsAddress(found[20..36], message[0], remote.Address))
            return null;
        return new TcpSocket(
            IsEstablished: message[1] == Established,
            IsOwned: MemoryMarshal.Read<uint>(message[68..]) != 0,
            UserId: MemoryMarshal.Read<uint>(message[64..]));
    }

    private static bool IsAddress(ReadOnlySpan<byte> found, byte family, IPAddress expected)
    {
        Span<byte> bytes = stackalloc byte[16];
        expected.TryWriteBytes(bytes, out int length);
        ReadOnlySpan<byte> wanted = EndOf(bytes[..length]);
        return EndOf(family == InterNetwork ? found[..4] : found).SequenceEqual(wanted);

        // An IPv4 address is the same in either family. Scopes are left out: loopback addresses have none.
        static ReadOnlySpan<byte> EndOf(ReadOnlySpan<byte> address) =>
            address.Length == 16 && address.StartsWith(MappedPrefix) ? address[12..] : address;
    }

    private static uint PortOf(SafeFileHandle netlink)
    {
        Span<uint> own = stackalloc uint[3];
        int length = 12;
        return GetSocketName(netlink, own, ref length) == 0 ? own[1] : throw LastError();
    }

    private static IPAddress Unmap(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static SocketException LastError() => Error(Marshal.GetLastPInvokeError());

    private static SocketException Error(int error) => new((int)SocketError.SocketError, Marshal.GetPInvokeErrorMessage(error));

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial SafeFileHandle OpenSocket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static partial nint Send(SafeFileHandle socket, ReadOnlySpan<byte> buffer, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "recvfrom", SetLastError = true)]
    private static partial nint ReceiveFrom(SafeFileHandle socket, Span<byte> buffer, nuint length, int flags, Span<uint> sender, ref int senderLength);

    [LibraryImport("libc", EntryPoint = "getsockname", SetLastError = true)]
    private static partial int GetSocketName(SafeFileHandle socket, Span<uint> name, ref int length);
}
