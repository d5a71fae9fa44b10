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

    // What clients and operators read: DESIGN of the protocol's own clients, which compare some of them.
    [Fact]
    public void Codes_and_reasons_are_the_protocols()
    {
        RequestId id = RequestId.Parse("0123456789abcdefghjkmnpqrs");
        Closing[] closings =
        [
            Closing.ClientLeft, Closing.ProtocolError, Closing.InvalidUtf8, Closing.TooLarge, Closing.HandshakeTimeout, Closing.IdentityRequired,
            Closing.IdentityMismatch, Closing.PublicKeyInvalid, Closing.SignatureInvalid, Closing.SignatureExpired, Closing.NonceRequired, Closing.NonceMismatch,
            Closing.Unauthorized, Closing.DeviceRemoved, Closing.DeviceBlocked, Closing.GrantRevoked, Closing.TryAgainLater, Closing.RegistryUnavailable,
            Closing.BackendHandshakeFailed, Closing.InternalError, Closing.Restarting, Closing.ProofUsed, Closing.SessionTokenInvalid, Closing.SessionTokensOff, Closing.InsufficientScope, Closing.NonceRequiredWith("n"), Closing.PairingResolved("rejected"), Closing.InvalidHandshake("x"), Closing.ByApplication("y"),
            Closing.PairingRejected(id), .. Enum.GetValues<PairingReason>().Select(r => Closing.PairingRequired(r, id)),
        ];

        closings.Select(c => $"{c.Code} {c.Reason}").ShouldBe(
        [
            "1000 ", "1002 protocol error", "1007 invalid UTF-8", "1009 handshake too large", "1008 handshake timeout", "1008 device identity required",
            "1008 device identity mismatch", "1008 device public key invalid", "1008 device signature invalid", "1008 device signature expired", "1008 device nonce required", "1008 device nonce mismatch",
            "1008 unauthorized", "1008 device removed", "1008 device blocked", "1008 grant revoked", "1013 try again later", "1013 registry unavailable",
            "1011 backend handshake failed", "1011 internal error", "1012 gateway restarting", "1008 proof already used", "1008 session token invalid", "1008 session tokens not allowed", "1008 insufficient scope", "1008 device nonce required: n", "1008 pairing rejected", "1008 invalid handshake: x", "1008 y",
            $"1008 pairing rejected (requestId: {id})",
            $"1008 pairing required: device is not approved yet (requestId: {id})",
            $"1008 pairing required: device is asking for a higher role than currently approved (requestId: {id})",
            $"1008 pairing required: device is asking for more scopes than currently approved (requestId: {id})",
        ]);
        Should.Throw<ArgumentOutOfRangeException>(() => Closing.Describe((PairingReason)17));
    }

    [Theory]
    [InlineData(64, true)]
    [InlineData(65, false)]
    public void The_id_of_a_backends_request_is_in_the_reason_if_it_fits(int length, bool fits)
    {
        string id = new('x', length);

        Closing.PairingRequiredByBackend(id).ShouldBe(new Closing(1008, fits ? $"pairing required: by the backend (requestId: {id})" : "pairing required: by the backend"));
    }

    [Theory]
    [InlineData(123, true)]
    [InlineData(124, false)]
    public void A_reason_has_123_bytes_at_most(int length, bool fits)
    {
        if (fits)
            Closing.ByApplication(new string('x', length)).Reason.Length.ShouldBe(length);
        else
            Should.Throw<ArgumentException>(() => Closing.ByApplication(new string('x', length)));
    }
}
