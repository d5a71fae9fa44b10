using System.Net.Sockets;
using System.Text;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Slow and rude clients and backends, before and after admission: each ends by itself, and holds nothing then.</summary>
public sealed class RudeClientTests(RudeClientTests.ImpatientGateway shared) : IClassFixture<RudeClientTests.ImpatientGateway>
{
    // What two connections in a row may hold: of each the kernel may let the one socket grow to 32 MiB, the other to 4 (tcp_rmem, tcp_wmem).
    // Without backpressure it grows for ever.
    private const long Bound = 96 << 20;

    private readonly TestDevice _device = new();

    private TestGateway Gateway => shared.Gateway;

    [Fact]
    public async Task A_flood_of_pings_before_admission_ends_the_handshake()
    {
        // The backend only reads: where it answered pings, the answers that the gate no longer reads would become a reset, which takes pings along.
        await using TestGateway gateway = await TestGateway.StartAsync(SharedGateway.Generous);
        gateway.Backend.Script = async client =>
        {
            await client.SendTextAsync(Protocol.Challenge("a-nonce"));
            await client.ReceiveToEndAsync();
        };
        Encounter encounter = await Encounter.OpenAsync(gateway);
        byte[] ping = FrameConnection.Encode(Opcode.Ping, "flood"u8, masked: true);

        await encounter.Client.SendRawAsync([.. Enumerable.Repeat(ping, 1000).SelectMany(p => p)]);

        (await encounter.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("invalid handshake: too many control frames");
        await encounter.Client.DisposeAsync();
        await encounter.BackendShouldHaveHeardNothingAsync();
        (await encounter.Backend.ReceivedFramesAsync()).Count(f => f.Opcode == Opcode.Ping).ShouldBe(MessageReader.MaxControlFrames);
        await ShouldHoldNothingAsync(gateway);
    }

    [Fact]
    public async Task Single_bytes_do_not_prolong_the_handshake()
    {
        Encounter encounter = await Encounter.OpenAsync(Gateway);
        byte[] frame = FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(new Ask().SignedBy(_device)), masked: true);
        using var stop = new CancellationTokenSource();
        Task dripping = Task.Run(async () =>
        {
            try
            {
                for (int i = 0; i < frame.Length && !stop.IsCancellationRequested; i++)
                {
                    await encounter.Client.SendRawAsync([frame[i]]);
                    await Task.Delay(50, stop.Token);
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
            {
                // Closed, as is wanted.
            }
        });

        await encounter.ShouldBeClosedAsync(1008, "handshake timeout");

        await stop.CancelAsync();
        await dripping;
        await ShouldHoldNothingAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(40)]
    public async Task A_client_that_half_closes_in_the_middle_of_its_request_ends_the_handshake(int sent)
    {
        (int status, _, Stream stream) = await TestClient.RequestAsync(Gateway.Port);
        status.ShouldBe(101);
        FrameConnection backend = await Gateway.Backend.AcceptAsync();
        byte[] frame = FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(new Ask().SignedBy(_device)), masked: true);
        await stream.WriteAsync(frame.AsMemory(0, sent));

        ((NetworkStream)stream).Socket.Shutdown(SocketShutdown.Send);

        await backend.Completion;
        (await backend.ReceivedFramesAsync()).ShouldAllBe(f => f.Opcode >= Opcode.Close);
        await ShouldHoldNothingAsync();
        await stream.DisposeAsync();
    }

    [Fact]
    public async Task A_session_that_half_closes_or_breaks_off_in_a_frame_ends_for_the_backend_too()
    {
        foreach (bool aborts in (bool[])[false, true])
        {
            (int status, _, Stream stream) = await TestClient.RequestAsync(Gateway.Port);
            status.ShouldBe(101);
            var client = new FrameConnection(stream, masks: true);
            await client.ReceiveJsonAsync();
            await client.SendTextAsync(new Ask().SignedBy(_device));
            (await client.ReceiveJsonAsync()).GetProperty("ok").GetBoolean().ShouldBeTrue();
            FrameConnection backend = await Gateway.Backend.AcceptAsync();
            await client.SendRawAsync([0x81, 0xFE, 0xFF, 0xFF, 1, 2, 3, 4, 5]);

            Socket socket = ((NetworkStream)stream).Socket;
            if (aborts)
                socket.Close(0);
            else
                socket.Shutdown(SocketShutdown.Send);

            await backend.Completion;
            await client.DisposeAsync();
            await ShouldHoldNothingAsync();
        }
    }

    [Fact]
    public async Task A_client_that_never_reads_slows_the_backend_and_takes_no_memory()
    {
        long sent = 0;
        Gateway.Backend.Script = async backend =>
        {
            await backend.SendTextAsync(Protocol.Challenge("a-nonce"));
            await backend.ReceiveAsync();
            await backend.SendTextAsync(Protocol.HelloOk("connect-1"));
            byte[] message = new byte[1 << 16];
            while (true)
            {
                await backend.SendAsync(Opcode.Binary, message);
                Interlocked.Add(ref sent, message.Length);
            }
        };
        try
        {
            await using FrameConnection deaf = await TestClient.AskAsync(Gateway.Port, _device);
            FrameConnection backend = await Gateway.Backend.AcceptAsync();

            await ShouldComeToRestAsync(() => Interlocked.Read(ref sent));

            Interlocked.Read(ref sent).ShouldBeLessThan(Bound);
            (await Gateway.RemoveAsync(_device)).ShouldBeTrue();
            await backend.Completion;
        }
        finally
        {
            Gateway.Backend.Script = TestBackend.AgentAsync;
        }

        await ShouldHoldNothingAsync();
    }

    [Fact]
    public async Task A_backend_that_never_reads_slows_the_client_and_takes_no_memory()
    {
        var isOver = new TaskCompletionSource();
        Gateway.Backend.Script = async backend =>
        {
            await backend.SendTextAsync(Protocol.Challenge("a-nonce"));
            await backend.ReceiveAsync();
            await backend.SendTextAsync(Protocol.HelloOk("connect-1"));
            await isOver.Task;
        };
        long sent = 0;
        try
        {
            FrameConnection client = await TestClient.AskAsync(Gateway.Port, _device);
            (await client.ReceiveJsonAsync()).GetProperty("ok").GetBoolean().ShouldBeTrue();
            FrameConnection backend = await Gateway.Backend.AcceptAsync();
            Task sending = Task.Run(async () =>
            {
                byte[] message = new byte[1 << 16];
                try
                {
                    while (true)
                    {
                        await client.SendAsync(Opcode.Binary, message);
                        Interlocked.Add(ref sent, message.Length);
                    }
                }
                catch (Exception e) when (e is IOException or ObjectDisposedException)
                {
                    // The session is over.
                }
            });

            await ShouldComeToRestAsync(() => Interlocked.Read(ref sent));

            Interlocked.Read(ref sent).ShouldBeLessThan(Bound);
            isOver.SetResult();
            await backend.Completion;
            await client.DisposeAsync();
            await sending;
        }
        finally
        {
            isOver.TrySetResult();
            Gateway.Backend.Script = TestBackend.AgentAsync;
        }

        await ShouldHoldNothingAsync();
    }

    [Theory]
    [InlineData("before the challenge")]
    [InlineData("in the middle of the challenge")]
    [InlineData("after the challenge")]
    [InlineData("after the request")]
    [InlineData("in the middle of its answer")]
    [InlineData("after its answer")]
    public async Task A_backend_that_dies_ends_the_session(string when)
    {
        byte[] challenge = FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(Protocol.Challenge("a-nonce")), masked: false);
        byte[] hello = FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(Protocol.HelloOk("connect-1")), masked: false);
        Gateway.Backend.Script = async backend =>
        {
            switch (when)
            {
                case "before the challenge":
                    break;
                case "in the middle of the challenge":
                    await backend.SendRawAsync(challenge[..20]);
                    break;
                default:
                    await backend.SendRawAsync(challenge);
                    if (when == "after the challenge")
                        break;
                    await backend.ReceiveAsync();
                    if (when == "in the middle of its answer")
                        await backend.SendRawAsync(hello[..20]);
                    else if (when == "after its answer")
                        await backend.SendRawAsync(hello);
                    break;
            }

            // Its end closes the connection.
        };
        try
        {
            await using FrameConnection client = await TestClient.OpenAsync(Gateway.Port);
            if (when is not ("before the challenge" or "in the middle of the challenge"))
            {
                await client.ReceiveJsonAsync();
                if (when != "after the challenge")
                    await client.SendTextAsync(new Ask().SignedBy(_device));
            }

            IReadOnlyList<Frame> frames = await client.ReceiveToEndAsync();

            // Where a close frame has a place, the client is told.
            if (when is not ("in the middle of its answer" or "after its answer"))
                (frames[^1].CloseCode, frames[^1].CloseReason).ShouldBe((1011, "backend handshake failed"));
            await (await Gateway.Backend.AcceptAsync()).Completion;
        }
        finally
        {
            Gateway.Backend.Script = TestBackend.AgentAsync;
        }

        await ShouldHoldNothingAsync();
    }

    // Two looks a quarter of a second apart see the same.
    private static async Task ShouldComeToRestAsync(Func<long> sent)
    {
        long last = -1;
        await Eventually.HoldsAsync(
            async () =>
            {
                await Task.Delay(250);
                long now = sent();
                bool rests = now == last && now > 0;
                last = now;
                return rests || now > Bound;
            },
            "the sender is held back");
    }

    private Task<TimeSpan> ShouldHoldNothingAsync() => ShouldHoldNothingAsync(Gateway);

    private static Task<TimeSpan> ShouldHoldNothingAsync(TestGateway gateway) =>
        Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 0 && gateway.Sessions.Count == 0), "no place and no session is held");

    public sealed class ImpatientGateway : SharedGateway
    {
        private protected override Dictionary<string, string?> Settings => new(Generous) { ["DeviceAuth:HandshakeTimeout"] = "00:00:01" };
    }
}
