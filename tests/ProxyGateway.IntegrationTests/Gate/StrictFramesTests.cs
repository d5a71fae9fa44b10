using System.Buffers.Binary;
using System.Text;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>RFC 6455 before admission: what breaks it is told so, and what it allows works.</summary>
public sealed class StrictFramesTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    private static readonly byte[] Mask = [1, 2, 3, 4];

    private static readonly Dictionary<string, byte[]> Broken = new()
    {
        ["unmasked"] = FrameConnection.Encode(Opcode.Text, "{}"u8, masked: false),
        ["unmasked ping"] = FrameConnection.Encode(Opcode.Ping, [], masked: false),
        ["unmasked close"] = FrameConnection.Encode(Opcode.Close, [], masked: false),
        ["reserved bit 1, which is compression"] = [0xC1, 0x80, .. Mask],
        ["reserved bit 2"] = [0xA1, 0x80, .. Mask],
        ["reserved bit 3"] = [0x91, 0x80, .. Mask],
        ["reserved bit in a ping"] = [0xC9, 0x80, .. Mask],
        ["reserved opcode 3"] = [0x83, 0x80, .. Mask],
        ["reserved opcode 7"] = [0x87, 0x80, .. Mask],
        ["reserved control opcode 11"] = [0x8B, 0x80, .. Mask],
        ["reserved control opcode 15"] = [0x8F, 0x80, .. Mask],
        ["length of 125 in 16 bits"] = [0x81, 0xFE, 0, 125, .. Mask],
        ["length of 65535 in 64 bits"] = [0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, .. Mask],
        ["length of 0 in 64 bits"] = [0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, .. Mask],
        ["negative length"] = [0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, .. Mask],
        ["fragmented ping"] = [0x09, 0x80, .. Mask],
        ["fragmented close"] = [0x08, 0x80, .. Mask],
        ["ping of 126 bytes"] = [0x89, 0xFE, 0, 126, .. Mask],
        ["close of 64 KiB"] = [0x88, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, .. Mask],
        ["continuation of nothing"] = FrameConnection.Encode(Opcode.Continuation, "{}"u8, masked: true),
        ["text inside a message"] =
            [.. FrameConnection.Encode(Opcode.Text, "{"u8, masked: true, isFinal: false), .. FrameConnection.Encode(Opcode.Text, "}"u8, masked: true)],
        ["binary inside a message"] =
            [.. FrameConnection.Encode(Opcode.Text, "{"u8, masked: true, isFinal: false), .. FrameConnection.Encode(Opcode.Binary, "}"u8, masked: true)],
        ["text inside a message that began empty"] =
            [.. FrameConnection.Encode(Opcode.Text, [], masked: true, isFinal: false), .. FrameConnection.Encode(Opcode.Text, "{}"u8, masked: true)],
        ["a second fragment unmasked"] =
            [.. FrameConnection.Encode(Opcode.Text, "{"u8, masked: true, isFinal: false), .. FrameConnection.Encode(Opcode.Continuation, "}"u8, masked: false)],
        ["HTTP"] = "GET / HTTP/1.1\r\n\r\n"u8.ToArray(),
    };

    // Each is refused for what its headers say: not a byte of the payload follows.
    private static readonly Dictionary<string, byte[]> Oversize = new()
    {
        ["one byte too many"] = [0x81, 0xFE, .. Be(16_385), .. Mask],
        ["as long as there is"] = [0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, .. Mask],
        ["2^31"] = [0x81, 0xFF, 0, 0, 0, 0, 0x80, 0, 0, 0, .. Mask],
        ["2^32"] = [0x81, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, .. Mask],
        ["in two fragments"] =
            [.. FrameConnection.Encode(Opcode.Text, new byte[15_000], masked: true, isFinal: false), 0x80, 0xFE, .. Be(1_385), .. Mask],
        ["in two fragments, the second of which would overflow"] =
            [.. FrameConnection.Encode(Opcode.Text, "{"u8, masked: true, isFinal: false), 0x80, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, .. Mask],
    };

    public static TheoryData<string> Violations => [.. Broken.Keys];

    public static TheoryData<string> TooLarge => [.. Oversize.Keys];

    [Theory]
    [MemberData(nameof(Violations))]
    public async Task A_breach_of_the_WebSocket_protocol_is_1002(string what)
    {
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);

        await encounter.Client.SendRawAsync(Broken[what]);

        (await encounter.ShouldBeClosedAsync(1002, "protocol error")).ShouldBeNull();
    }

    [Theory]
    [MemberData(nameof(TooLarge))]
    public async Task A_message_that_will_be_too_large_is_1009_before_it_comes(string what)
    {
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);

        await encounter.Client.SendRawAsync(Oversize[what]);

        (await encounter.ShouldBeClosedAsync(1009, "handshake too large")).ShouldBeNull();
    }

    [Fact]
    public async Task Endless_empty_fragments_end_the_handshake()
    {
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);
        byte[] first = FrameConnection.Encode(Opcode.Text, [], masked: true, isFinal: false);
        byte[] next = FrameConnection.Encode(Opcode.Continuation, [], masked: true, isFinal: false);

        // 32,782 bytes of headers are the bound.
        await encounter.Client.SendRawAsync([.. first, .. Enumerable.Repeat(next, 5_470).SelectMany(f => f)]);

        (await encounter.ShouldBeClosedAsync(1009, "handshake too large")).ShouldBeNull();
    }

    [Fact]
    public async Task A_binary_message_is_no_handshake()
    {
        var device = new TestDevice();
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);

        await encounter.Client.SendAsync(Opcode.Binary, Encoding.UTF8.GetBytes(new Ask().SignedBy(device)));

        (await encounter.ShouldBeClosedAsync(1008, "invalid handshake: binary message")).ShouldBeNull();
        (await shared.Gateway.FindAsync(device)).ShouldBeNull();
    }

    [Fact]
    public async Task A_message_of_exactly_the_limit_is_accepted()
    {
        string frame = new Ask().SignedBy(new TestDevice());
        await using Encounter encounter = await Encounter.OpenAsync(shared.Gateway);

        await encounter.Client.SendTextAsync(frame + new string(' ', 16_384 - frame.Length));

        await encounter.ShouldBeAdmittedAsync();
    }

    [Fact]
    public async Task A_fragmented_request_with_pings_in_between_arrives_as_it_was_sent()
    {
        byte[] text = Encoding.UTF8.GetBytes(new Ask { DisplayName = "gerät" }.SignedBy(new TestDevice()));
        byte[][] frames =
        [
            FrameConnection.Encode(Opcode.Text, [], masked: true, isFinal: false),
            FrameConnection.Encode(Opcode.Continuation, text.AsSpan(0, 100), masked: true, isFinal: false),
            FrameConnection.Encode(Opcode.Continuation, text.AsSpan(100, 1), masked: true, isFinal: false),
            FrameConnection.Encode(Opcode.Continuation, text.AsSpan(101), masked: true, isFinal: false),
            FrameConnection.Encode(Opcode.Continuation, [], masked: true),
        ];
        shared.Gateway.Backend.Script = PongAndAcceptAsync;
        try
        {
            await using Encounter encounter = await Encounter.OpenAsync(shared.Gateway);
            for (int i = 0; i < frames.Length; i++)
            {
                await encounter.Client.SendRawAsync(frames[i]);
                if (i == frames.Length - 1)
                    break;
                await encounter.Client.SendAsync(Opcode.Ping, [(byte)i]);
                Frame pong = (await encounter.Client.ReceiveAsync()).ShouldNotBeNull();
                (pong.Opcode, pong.Payload).ShouldBe((Opcode.Pong, pong.Payload));
                pong.Payload.ShouldBe([(byte)i]);
            }

            await encounter.ShouldBeAdmittedAsync();
            byte[] received = encounter.Backend.Received.ToArray();
            received.AsSpan(received.Length - frames.Sum(f => f.Length)).ToArray().ShouldBe(frames.SelectMany(f => f).ToArray());
        }
        finally
        {
            shared.Gateway.Backend.Script = TestBackend.AgentAsync;
        }
    }

    [Fact]
    public async Task A_request_may_come_byte_by_byte()
    {
        await using Encounter encounter = await Encounter.OpenAsync(shared.Gateway);

        foreach (byte b in FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(new Ask().SignedBy(new TestDevice())), masked: true))
        {
            await encounter.Client.SendRawAsync([b]);
        }

        await encounter.ShouldBeAdmittedAsync();
    }

    [Fact]
    public async Task A_client_may_close_before_it_connects()
    {
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);

        await encounter.Client.CloseAsync(4001);

        // The backend's own answer to it.
        Frame close = await encounter.Client.ReceiveCloseAsync();
        close.CloseCode.ShouldBe(4001);
        await encounter.Client.DisposeAsync();
        await encounter.Backend.Completion;
        (await encounter.Backend.ReceivedFramesAsync()).ShouldHaveSingleItem().CloseCode.ShouldBe(4001);
    }

    [Fact]
    public async Task Frames_behind_a_close_frame_do_not_reach_the_backend()
    {
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);

        await encounter.Client.SendRawAsync(
        [
            .. FrameConnection.Encode(Opcode.Close, [], masked: true),
            .. FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(new Ask().SignedBy(new TestDevice())), masked: true),
        ]);

        (await encounter.Client.ReceiveCloseAsync()).CloseCode.ShouldBe(1005);
        await encounter.Client.DisposeAsync();
        await encounter.BackendShouldHaveHeardNothingAsync();
    }

    [Fact]
    public async Task A_client_may_leave_without_a_close_frame()
    {
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);

        await encounter.Client.DisposeAsync();

        await encounter.BackendShouldHaveHeardNothingAsync();
    }

    private static async Task PongAndAcceptAsync(FrameConnection client)
    {
        await client.SendTextAsync(Protocol.Challenge("a-nonce"));
        while (await client.ReceiveAsync() is { } frame)
        {
            if (frame.Opcode == Opcode.Ping)
                await client.SendAsync(Opcode.Pong, frame.Payload);
            else if (frame.Opcode == Opcode.Close)
                return;
            else if (frame.IsFinal)
                await client.SendTextAsync(Protocol.HelloOk("connect-1"));
        }
    }

    private static byte[] Be(ushort value)
    {
        byte[] bytes = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, value);
        return bytes;
    }
}

/// <summary>Clients that have little to say, and a gate that does not wait long.</summary>
public sealed class SilenceTests(SilenceTests.ImpatientGateway shared) : IClassFixture<SilenceTests.ImpatientGateway>
{
    private static readonly byte[] Request = Encoding.UTF8.GetBytes(new Ask().SignedBy(new TestDevice()));

    private static readonly Dictionary<string, byte[]> Stuck = new()
    {
        ["nothing"] = [],
        ["half a header"] = [0x81],
        ["a header without its mask"] = [0x81, 0x85, 1],
        ["half a frame"] = FrameConnection.Encode(Opcode.Text, Request, masked: true)[..200],
        ["all but the last byte"] = FrameConnection.Encode(Opcode.Text, Request, masked: true)[..^1],
        ["a fragment"] = FrameConnection.Encode(Opcode.Text, Request, masked: true, isFinal: false),
        ["a ping"] = FrameConnection.Encode(Opcode.Ping, [], masked: true),
    };

    public static TheoryData<string> Silences => [.. Stuck.Keys];

    [Theory]
    [MemberData(nameof(Silences))]
    public async Task A_client_that_sends_too_little_gets_handshake_timeout(string what)
    {
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);

        if (Stuck[what].Length > 0)
            await encounter.Client.SendRawAsync(Stuck[what]);

        await ShouldTimeOutAsync(encounter);
    }

    [Fact]
    public async Task Pings_do_not_prolong_the_handshake()
    {
        Encounter encounter = await Encounter.OpenAsync(shared.Gateway);
        using var stop = new CancellationTokenSource();
        Task pinging = Task.Run(async () =>
        {
            try
            {
                while (!stop.IsCancellationRequested)
                {
                    await encounter.Client.SendAsync(Opcode.Ping, []);
                    await Task.Delay(20, stop.Token);
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
            {
                // Closed, as is wanted.
            }
        });

        await ShouldTimeOutAsync(encounter);

        await stop.CancelAsync();
        await pinging;
    }

    private static async Task ShouldTimeOutAsync(Encounter encounter)
    {
        Frame close = await encounter.Client.ReceiveCloseAsync();
        $"{close.CloseCode} {close.CloseReason}".ShouldBe("1008 handshake timeout");
        await encounter.Client.DisposeAsync();
        await encounter.BackendShouldHaveHeardNothingAsync();
    }

    public sealed class ImpatientGateway : SharedGateway
    {
        private protected override Dictionary<string, string?> Settings => new(Generous) { ["DeviceAuth:HandshakeTimeout"] = "00:00:01" };
    }
}
