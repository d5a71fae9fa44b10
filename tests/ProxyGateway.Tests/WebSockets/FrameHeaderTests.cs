using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Tests.WebSockets;

public sealed class FrameHeaderTests
{
    [Theory]
    [InlineData("8100", true, Opcode.Text, false, 0)]
    [InlineData("0100", false, Opcode.Text, false, 0)]
    [InlineData("8000", true, Opcode.Continuation, false, 0)]
    [InlineData("827D", true, Opcode.Binary, false, 125)]
    [InlineData("817E007E", true, Opcode.Text, false, 126)]
    [InlineData("817EFFFF", true, Opcode.Text, false, 65535)]
    [InlineData("817F0000000000010000", true, Opcode.Text, false, 65536)]
    [InlineData("817F7FFFFFFFFFFFFFFF", true, Opcode.Text, false, long.MaxValue)]
    [InlineData("818011223344", true, Opcode.Text, true, 0)]
    [InlineData("81FEFFFF11223344", true, Opcode.Text, true, 65535)]
    [InlineData("81FF000000000001000011223344", true, Opcode.Text, true, 65536)]
    [InlineData("887D", true, Opcode.Close, false, 125)]
    [InlineData("8900", true, Opcode.Ping, false, 0)]
    [InlineData("8AFD11223344", true, Opcode.Pong, true, 125)]
    internal void A_header_is_read_once_it_is_whole(string hex, bool isFinal, Opcode opcode, bool isMasked, long length)
    {
        byte[] bytes = Convert.FromHexString(hex);
        for (int i = 0; i < bytes.Length; i++)
        {
            FrameHeader.TryRead(bytes.AsSpan(0, i), out _).ShouldBe(FrameHeaderStatus.NeedsMore);
        }

        FrameHeader.TryRead([.. bytes, 0xFF], out FrameHeader header).ShouldBe(FrameHeaderStatus.Complete);

        header.ShouldBe(new FrameHeader(isFinal, opcode, isMasked, isMasked ? 0x44332211u : 0, bytes.Length, length));
    }

    [Theory]
    [InlineData("C100")]
    [InlineData("A100")]
    [InlineData("9100")]
    [InlineData("F100")]
    [InlineData("8300")]
    [InlineData("8700")]
    [InlineData("8B00")]
    [InlineData("8F00")]
    [InlineData("0800")]
    [InlineData("0900")]
    [InlineData("0A00")]
    [InlineData("897E")]
    [InlineData("88FF")]
    [InlineData("817E007D")]
    [InlineData("817E0000")]
    [InlineData("817F000000000000FFFF")]
    [InlineData("817F8000000000000000")]
    [InlineData("817FFFFFFFFFFFFFFFFF")]
    public void A_header_that_RFC_6455_forbids_is_malformed(string hex) =>
        FrameHeader.TryRead(Convert.FromHexString(hex), out _).ShouldBe(FrameHeaderStatus.Malformed);
}
