using System.Text;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Tests.WebSockets;

/// <summary>The frames that the gate makes itself, byte by byte.</summary>
public sealed class FrameWriterTests
{
    [Theory]
    [InlineData(0, "8100")]
    [InlineData(1, "8101")]
    [InlineData(125, "817D")]
    [InlineData(126, "817E007E")]
    [InlineData(127, "817E007F")]
    [InlineData(65_535, "817EFFFF")]
    [InlineData(65_536, "817F0000000000010000")]
    [InlineData(70_000, "817F0000000000011170")]
    public void A_text_is_one_frame_with_the_shortest_length(int length, string header)
    {
        byte[] text = [.. Enumerable.Range(0, length).Select(i => (byte)('a' + (i % 26)))];

        FrameWriter.Text(text).ShouldBe([.. Convert.FromHexString(header), .. text]);
    }

    [Theory]
    [InlineData(Opcode.Ping, "", "8900")]
    [InlineData(Opcode.Pong, "hi", "8A026869")]
    internal void A_control_frame_for_a_client_has_no_mask(Opcode opcode, string payload, string frame) =>
        FrameWriter.Control(opcode, Encoding.UTF8.GetBytes(payload)).ShouldBe(Convert.FromHexString(frame));

    [Theory]
    [InlineData(1008, "no", "880403F06E6F")]
    [InlineData(1000, "", "880203E8")]
    public void A_close_frame_to_a_client_is_code_and_reason(ushort code, string reason, string frame) =>
        FrameWriter.CloseToClient(new Closing(code, reason)).ShouldBe(Convert.FromHexString(frame));

    [Theory]
    [InlineData(1000, "")]
    [InlineData(1011, "grüße")]
    public void A_close_frame_to_a_backend_is_masked_each_with_a_mask_of_its_own(ushort code, string reason)
    {
        var masks = new HashSet<uint>();
        for (int i = 0; i < 8; i++)
        {
            byte[] frame = FrameWriter.CloseToBackend(new Closing(code, reason));

            FrameHeader.TryRead(frame, out FrameHeader header).ShouldBe(FrameHeaderStatus.Complete);
            byte[] text = Encoding.UTF8.GetBytes(reason);
            header.ShouldBe(new FrameHeader(IsFinal: true, Opcode.Close, IsMasked: true, header.Mask, HeaderLength: 6, 2 + text.Length));
            frame.Length.ShouldBe(6 + 2 + text.Length);
            byte[] payload = [.. frame.Skip(6).Select((b, at) => (byte)(b ^ frame[2 + (at & 3)]))];
            payload.ShouldBe([(byte)(code >> 8), (byte)code, .. text]);
            masks.Add(header.Mask);
        }

        masks.Count.ShouldBeGreaterThan(1, "a mask that can be foretold lets a page write what proxies on the way take for another request (RFC 6455 §10.3)");
    }
}
