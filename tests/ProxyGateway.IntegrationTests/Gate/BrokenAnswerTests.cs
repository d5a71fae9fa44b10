using System.Text;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Backends that get a <c>connect</c> request and give no proper answer to it. Tests play the backend.</summary>
public sealed class BrokenAnswerTests(BrokenAnswerTests.ImpatientGateway shared) : IClassFixture<BrokenAnswerTests.ImpatientGateway>
{
    private static readonly Dictionary<string, byte[]> Broken = new()
    {
        ["masked"] = FrameConnection.Encode(Opcode.Text, "{}"u8, masked: true),
        ["reserved bit"] = [0xC1, 0x02, .. "{}"u8],
        ["reserved opcode"] = [0x83, 0x00],
        ["continuation of nothing"] = FrameConnection.Encode(Opcode.Continuation, "{}"u8, masked: false),
        ["text inside a message"] =
            [.. FrameConnection.Encode(Opcode.Text, [], masked: false, isFinal: false), .. FrameConnection.Encode(Opcode.Text, "{}"u8, masked: false)],
        ["no JSON"] = FrameConnection.Encode(Opcode.Text, "hello"u8, masked: false),
        ["empty text"] = FrameConnection.Encode(Opcode.Text, [], masked: false),
        ["two documents"] = FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(Protocol.HelloOk("connect-1") + "{}"), masked: false),
        ["cut-off JSON"] = FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(Protocol.HelloOk("connect-1")[..^1]), masked: false),
        ["HTTP"] = "HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray(),
    };

    public static TheoryData<string> BrokenAnswers => [.. Broken.Keys];

    [Theory]
    [MemberData(nameof(BrokenAnswers))]
    public async Task A_backend_that_breaks_the_protocol_is_1011(string what)
    {
        Encounter encounter = await BeginAsync();

        await encounter.Backend.SendRawAsync(Broken[what]);

        await ShouldFailAsync(encounter);
    }

    [Fact]
    public async Task A_binary_message_is_not_an_answer_to_connect()
    {
        Encounter encounter = await BeginAsync();

        await encounter.Backend.SendAsync(Opcode.Binary, Encoding.UTF8.GetBytes(Protocol.HelloOk("connect-1")));

        (await encounter.Client.ReceiveAsync()).ShouldNotBeNull().Opcode.ShouldBe(Opcode.Binary);
        await ShouldFailAsync(encounter);
    }

    [Fact]
    public async Task Half_an_answer_does_not_open_the_connection()
    {
        Encounter encounter = await BeginAsync();

        byte[] answer = Encoding.UTF8.GetBytes(Protocol.HelloOk("connect-1"));
        await encounter.Backend.SendAsync(Opcode.Text, answer, isFinal: false);

        (await encounter.Client.ReceiveAsync()).ShouldNotBeNull().IsFinal.ShouldBeFalse();
        await ShouldFailAsync(encounter);
    }

    [Fact]
    public async Task A_late_answer_does_not_open_the_connection()
    {
        Encounter encounter = await BeginAsync();
        Frame close = await encounter.Client.ReceiveCloseAsync();
        $"{close.CloseCode} {close.CloseReason}".ShouldBe("1011 backend handshake failed");

        await encounter.Backend.SendTextAsync(Protocol.HelloOk("connect-1"));

        Frame end = (await encounter.Backend.ReceiveAsync()).ShouldNotBeNull();
        (end.Opcode, end.CloseCode).ShouldBe((Opcode.Close, 1000));
        encounter.Backend.Complete();
        await encounter.Client.DisposeAsync();
    }

    private async Task<Encounter> BeginAsync()
    {
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);
        await encounter.Client.SendRawAsync(
        [
            .. OneConnectTests.Encode(new Ask().SignedBy(new TestDevice())),
            .. OneConnectTests.Encode("early"),
        ]);
        await OneConnectTests.ReceiveConnectAsync(encounter.Backend);
        return encounter;
    }

    private async Task ShouldFailAsync(Encounter encounter)
    {
        Frame close = (await encounter.Client.ReceiveAsync()).ShouldNotBeNull();
        $"{close.CloseCode} {close.CloseReason}".ShouldBe("1011 backend handshake failed");

        // Not even what the client sent together with its request.
        Frame end = (await encounter.Backend.ReceiveAsync()).ShouldNotBeNull();
        (end.Opcode, end.CloseCode).ShouldBe((Opcode.Close, 1000));
        encounter.Backend.Complete();
        await encounter.Client.DisposeAsync();
        shared.Gateway.Log.Of(1103).ShouldNotBeEmpty();
        shared.Gateway.Log.Of(1103).ShouldAllBe(l => l.Contains("DeviceAuth:HandshakeTimeout", StringComparison.Ordinal));
    }

    public sealed class ImpatientGateway : SharedGateway
    {
        private protected override Dictionary<string, string?> Settings => new(Generous) { ["DeviceAuth:HandshakeTimeout"] = "00:00:01" };

        private protected override async Task<TestGateway> StartAsync()
        {
            TestGateway gateway = await base.StartAsync();
            gateway.Backend.Script = TestBackend.ChallengeAsync;
            return gateway;
        }
    }
}
