using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>A query about one TCP socket, and the kernel's answer, as the bytes of sock_diag(7). Pure.</summary>
internal static class TcpSocketQuery
{
    /// <summary>The length of a query in bytes.</summary>
    public const int Length = HeaderLength + 56;

    private const int InterNetwork = 2; // AF_INET, and so on, of Linux
    private const int InterNetworkV6 = 10;
    private const int NoSuchEntry = 2; // ENOENT
    private const int StaleHandle = 116; // ESTALE: another cookie
    private const byte Tcp = 6;
    private const byte Established = 1;

    private const int HeaderLength = 16; // struct nlmsghdr
    private const int EndsOffset = HeaderLength + 8; // in a query, struct inet_diag_req_v2; then struct inet_diag_sockid
    private const int AnswerLength = HeaderLength + 72; // struct inet_diag_msg
    private const ushort ErrorMessage = 2; // NLMSG_ERROR
    private const ushort ByFamily = 20; // SOCK_DIAG_BY_FAMILY
    private const ushort IsRequest = 1; // NLM_F_REQUEST

    private static ReadOnlySpan<byte> MappedPrefix => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]; // RFC 4291 §2.5.5.2

    /// <summary>Writes a query about the socket with these ends.</summary>
    /// <param name="query">The destination.</param>
    /// <param name="sequence">The answer repeats it.</param>
    /// <param name="local">The socket's own end.</param>
    /// <param name="remote">The other end, of the same family.</param>
    /// <param name="cookie">The socket's cookie, or <see cref="TcpSocketTable.AnyCookie"/>.</param>
    public static void Write(Span<byte> query, uint sequence, IPEndPoint local, IPEndPoint remote, ulong cookie)
    {
        query.Clear();
        MemoryMarshal.Write(query, (uint)Length);
        MemoryMarshal.Write(query[4..], ByFamily);
        MemoryMarshal.Write(query[6..], IsRequest);
        MemoryMarshal.Write(query[8..], sequence);
        query[HeaderLength] = local.AddressFamily == AddressFamily.InterNetworkV6 ? (byte)InterNetworkV6 : (byte)InterNetwork;
        query[HeaderLength + 1] = Tcp;
        // all states: the kernel ignores this when it is asked for one socket
        MemoryMarshal.Write(query[(HeaderLength + 4)..], uint.MaxValue);
        Span<byte> ends = query[EndsOffset..];
        BinaryPrimitives.WriteUInt16BigEndian(ends, (ushort)local.Port);
        BinaryPrimitives.WriteUInt16BigEndian(ends[2..], (ushort)remote.Port);
        local.Address.TryWriteBytes(ends[4..], out _);
        remote.Address.TryWriteBytes(ends[20..], out _);
        MemoryMarshal.Write(ends[40..], cookie);
    }

    /// <summary>The socket that the kernel found; null if there is none with these ends, or only one with another cookie.</summary>
    /// <param name="answer">The kernel's message.</param>
    /// <param name="sequence">The query's.</param>
    /// <param name="port">The netlink port that the query was sent from.</param>
    /// <param name="local">The socket's own end.</param>
    /// <param name="remote">The other end.</param>
    /// <exception cref="SocketException">The kernel refuses the query, or this is no answer to it.</exception>
    public static TcpSocket? ReadAnswer(ReadOnlySpan<byte> answer, uint sequence, uint port, IPEndPoint local, IPEndPoint remote)
    {
        if (answer.Length < HeaderLength + 4 || MemoryMarshal.Read<uint>(answer[8..]) != sequence || MemoryMarshal.Read<uint>(answer[12..]) != port)
            throw new SocketException((int)SocketError.ProtocolNotSupported);
        ushort type = MemoryMarshal.Read<ushort>(answer[4..]);
        if (type == ErrorMessage)
        {
            int error = -MemoryMarshal.Read<int>(answer[HeaderLength..]);
            return error is NoSuchEntry or StaleHandle ? null : throw Error(error);
        }

        if (type != ByFamily || answer.Length < AnswerLength)
            throw new SocketException((int)SocketError.ProtocolNotSupported);
        ReadOnlySpan<byte> message = answer[HeaderLength..AnswerLength];

        // The kernel falls back to a socket that listens on the port.
        if (!IsEnd(message[4..6], message[8..24], message[0], local) || !IsEnd(message[6..8], message[24..40], message[0], remote))
            return null;
        return new TcpSocket(
            IsEstablished: message[1] == Established,
            IsOwned: MemoryMarshal.Read<uint>(message[68..]) != 0,
            UserId: MemoryMarshal.Read<uint>(message[64..]));
    }

    /// <summary>An error of the kernel with the C library's text.</summary>
    /// <param name="error">Its number, as in errno(3).</param>
    public static SocketException Error(int error) => new((int)SocketError.SocketError, Marshal.GetPInvokeErrorMessage(error));

    private static bool IsEnd(ReadOnlySpan<byte> port, ReadOnlySpan<byte> address, byte family, IPEndPoint expected)
    {
        Span<byte> bytes = stackalloc byte[16];
        expected.Address.TryWriteBytes(bytes, out int length);
        return BinaryPrimitives.ReadUInt16BigEndian(port) == expected.Port
            && EndOf(family == InterNetwork ? address[..4] : address).SequenceEqual(EndOf(bytes[..length]));

        // An IPv4 address is the same in either family. Scopes are left out: loopback addresses have none.
        static ReadOnlySpan<byte> EndOf(ReadOnlySpan<byte> address) =>
            address.Length == 16 && address.StartsWith(MappedPrefix) ? address[12..] : address;
    }
}
