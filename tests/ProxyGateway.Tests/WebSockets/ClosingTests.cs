using System.Reflection;
using System.Text;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Tests.WebSockets;

public sealed class ClosingTests
{
    // RFC 6455 §5.5: 125 bytes, two of which are the code.
    private const int MaxReason = 123;

    [Fact]
    public void Every_reason_fits_into_a_close_frame()
    {
        RequestId id = RequestId.New(DateTimeOffset.UnixEpoch);
        IEnumerable<Closing> closings =
        [
            .. typeof(Closing).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => (Closing)f.GetValue(null)!),
            .. Enum.GetValues<PairingReason>().Select(r => Closing.PairingRequired(r, id)),
            Closing.PairingRejected(id),
            Closing.InvalidHandshake("the protocol versions must be integers"),
        ];

        foreach (Closing closing in closings)
        {
            Encoding.UTF8.GetByteCount(closing.Reason).ShouldBeLessThanOrEqualTo(MaxReason, closing.Reason);
            closing.Reason.ShouldAllBe(c => c >= ' ' && c < 0x7F);
            FrameHeader.TryRead(FrameWriter.CloseToClient(closing), out FrameHeader header).ShouldBe(FrameHeaderStatus.Complete);
            header.Opcode.ShouldBe(Opcode.Close);
        }
    }

    [Fact]
    public void A_reason_that_does_not_fit_is_never_sent() =>
        Should.Throw<ArgumentException>(() => Closing.InvalidHandshake(new string('x', 110)));
}
