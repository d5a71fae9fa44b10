using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.Tests.Localities;

/// <summary>The bytes of sock_diag(7): what the kernel is asked about one socket, and what is read from its answer.</summary>
public sealed class TcpSocketQueryTests
{
    private const uint Sequence = 0x11223344;
    private const uint Port = 0x55667788;

    [Theory]
    [InlineData("127.0.0.1:256", "127.0.0.2:513", "02", "0100 0201 7F000001000000000000000000000000 7F000002000000000000000000000000")]
    [InlineData("[::1]:256", "[2001:db8::2]:513", "0A", "0100 0201 00000000000000000000000000000001 20010DB8000000000000000000000002")]
    public void A_query_names_both_ends_and_the_cookie(string local, string remote, string family, string ends)
    {
        byte[] query = [.. Enumerable.Repeat((byte)0xEE, TcpSocketQuery.Length)];

        TcpSocketQuery.Write(query, Sequence, IPEndPoint.Parse(local), IPEndPoint.Parse(remote), cookie: 0x0102030405060708);

        // struct nlmsghdr, struct inet_diag_req_v2, struct inet_diag_sockid
        string[] expected = ["48000000 1400 0100 44332211 00000000", $"{family} 06 00 00 FFFFFFFF", ends, "00000000 0807060504030201"];
        Convert.ToHexString(query).ShouldBe(string.Concat(expected).Replace(" ", "", StringComparison.Ordinal));
    }

    // The kernel's answer to a query about 127.0.0.1:256 and 127.0.0.2:513, with bytes changed in it ("offset=byte"); then the socket.
    [Theory]
    [InlineData("", "established owned 1000")]
    [InlineData("17=02", "owned 1000")] // SYN_SENT
    [InlineData("17=00", "owned 1000")]
    [InlineData("84=00", "established 1000")] // no inode
    [InlineData("84=00 87=80", "established owned 1000")]
    [InlineData("80=00 81=00", "established owned 0")]
    [InlineData("82=01", "established owned 66536")]
    [InlineData("21=01", null)] // another port here
    [InlineData("20=00", null)]
    [InlineData("22=00", null)] // another port there
    [InlineData("23=02", null)]
    [InlineData("24=80", null)] // another address here
    [InlineData("27=02", null)]
    [InlineData("40=80", null)] // another address there
    [InlineData("43=03", null)]
    [InlineData("28=01 44=01", "established owned 1000")] // behind an IPv4 address there is nothing
    [InlineData("16=0A", null)] // these bytes as IPv6 addresses
    [InlineData("16=0A 24=00 25=00 26=00 27=00 34=FF 35=FF 36=7F 39=01 40=00 41=00 42=00 43=00 50=FF 51=FF 52=7F 55=02", "established owned 1000")] // mapped
    [InlineData("16=0A 24=00 25=00 26=00 27=00 34=FF 35=FE 36=7F 39=01 40=00 41=00 42=00 43=00 50=FF 51=FF 52=7F 55=02", null)]
    [InlineData("4=02 16=FE 17=FF 18=FF 19=FF", null)] // ENOENT
    [InlineData("4=02 16=8C 17=FF 18=FF 19=FF", null)] // ESTALE
    [InlineData("4=02 16=FF 17=FF 18=FF 19=FF", "refused")] // EPERM
    [InlineData("4=02 16=00 17=00 18=00 19=00", "refused")]
    [InlineData("4=03", "refused")] // NLMSG_DONE
    [InlineData("8=45", "refused")] // the answer to another query
    [InlineData("12=89", "refused")] // or to another process
    public void An_answer_says_of_these_ends_alone_whether_a_process_owns_an_open_connection(string changes, string? expected)
    {
        byte[] answer = Answer();
        foreach (string[] change in changes.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(c => c.Split('=')))
            answer[int.Parse(change[0], CultureInfo.InvariantCulture)] = byte.Parse(change[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);

        Read(answer).ShouldBe(expected);
    }

    [Theory]
    [InlineData(0, "refused")]
    [InlineData(16, "refused")]
    [InlineData(19, "refused")]
    [InlineData(20, "refused")]
    [InlineData(87, "refused")]
    [InlineData(88, "established owned 1000")]
    [InlineData(1024, "established owned 1000")] // with attributes
    public void An_answer_that_is_cut_is_none(int length, string expected)
    {
        byte[] answer = [.. Answer(), .. new byte[1024]];

        Read(answer[..length]).ShouldBe(expected);
    }

    [Theory]
    [InlineData(19, "refused")]
    [InlineData(20, null)]
    public void An_answer_that_there_is_no_socket_has_a_number_alone(int length, string? expected)
    {
        byte[] answer = Answer();
        answer[4] = 2;
        BinaryPrimitives.WriteInt32LittleEndian(answer.AsSpan(16), -2);

        Read(answer[..length]).ShouldBe(expected);
    }

    [Fact]
    public void A_refusal_of_the_kernel_has_the_c_librarys_text() => TcpSocketQuery.Error(1).Message.ShouldBe("Operation not permitted");

    private static string? Read(byte[] answer)
    {
        try
        {
            TcpSocket? socket = TcpSocketQuery.ReadAnswer(answer, Sequence, Port, IPEndPoint.Parse("127.0.0.1:256"), IPEndPoint.Parse("127.0.0.2:513"));
            return socket is { } s ? (s.IsEstablished ? "established " : "") + (s.IsOwned ? "owned " : "") + $"{s.UserId}" : null;
        }
        catch (SocketException)
        {
            return "refused";
        }
    }

    // struct nlmsghdr, then struct inet_diag_msg.
    private static byte[] Answer()
    {
        byte[] answer = new byte[88];
        answer[0] = 88;
        answer[4] = 20;
        MemoryMarshal.Write(answer.AsSpan(8), Sequence);
        MemoryMarshal.Write(answer.AsSpan(12), Port);
        answer[16] = 2; // AF_INET
        answer[17] = 1; // TCP_ESTABLISHED
        byte[] ends = [1, 0, 2, 1, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 127, 0, 0, 2];
        ends.CopyTo(answer, 20);
        MemoryMarshal.Write(answer.AsSpan(80), 1000u);
        MemoryMarshal.Write(answer.AsSpan(84), 7u);
        return answer;
    }
}
