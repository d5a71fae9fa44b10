using System.Collections.Concurrent;
using System.Diagnostics.Tracing;
using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>What an open connection costs, by its structure and not by the clock.</summary>
[Collection(nameof(AloneCollection))]
public sealed class TunnelStructureTests
{
    private const int Connections = 20;
    private const int Handshakes = 200;

    /// <summary>What the gate may allocate for one connection; docs/performance.md says for what.</summary>
    private const long MostBytes = 24 * 1024;

    [Fact]
    public async Task An_idle_connection_holds_no_buffer()
    {
        using var rented = new RentedBuffers(atLeast: 16 * 1024);
        await using TestGateway gateway = await TestGateway.StartAsync(SharedGateway.Generous);
        var open = new List<FrameConnection>();
        while (open.Count < Connections)
        {
            Outcome outcome = await TestClient.ConnectAsync(gateway.Port, new TestDevice());
            outcome.ShouldBeAdmitted();
            await EchoAsync(outcome.Client, "hello");
            open.Add(outcome.Client);
        }

        rented.Seen.ShouldBeGreaterThan(Connections, "or the buffers were not those of connections");
        await Eventually.HoldsAsync(() => Task.FromResult(rented.Outstanding == 0), "every buffer is given back while nobody speaks");
        await EchoAsync(open[0], "and still alive");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_whole_connection_throws_no_exception(bool clientCloses)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(SharedGateway.Generous);
        gateway.Backend.Script = clientCloses ? TestBackend.AgentAsync : LeavesWhenToldAsync;
        var device = new TestDevice();
        await ShouldThrowNothingAsync(() => LiveAsync(gateway, device, clientCloses));
    }

    [Fact]
    public async Task Refusing_a_stranger_throws_no_exception()
    {
        Dictionary<string, string?> settings = SharedGateway.Generous;
        settings["DeviceAuth:Limits:FailuresPerAddress"] = "1000"; // a refusal that is held back is another matter
        await using TestGateway gateway = await TestGateway.StartAsync(settings, time: new FakeTimeProvider(DateTimeOffset.UtcNow));
        await ShouldThrowNothingAsync(async () =>
        {
            Encounter encounter = await Encounter.OpenAsync(gateway);
            await encounter.Client.SendTextAsync(
                new Ask().SignedBy(new TestDevice()).Replace("\"operator.read\"", "\"operator.admin\"", StringComparison.Ordinal));
            (await encounter.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("device signature invalid");
            await encounter.Client.CloseAsync(1008);
            await encounter.Backend.Completion;
            (await encounter.Client.ReceiveAsync()).ShouldBeNull();
            await encounter.Client.DisposeAsync();
        });
    }

    [Fact]
    public async Task The_gates_allocations_for_a_handshake_are_bounded()
    {
        await using TestGateway gated = await TestGateway.StartAsync(SharedGateway.Generous);
        await using TestGateway open = await TestGateway.StartAsync(metadata: new() { ["DeviceAuth"] = "Off" });
        long allocated = await AllocatedByAsync(gated) - await AllocatedByAsync(open);

        allocated.ShouldBeInRange(1, MostBytes);

        // Client, proxy and backend are the same for both, so the difference is the gate's.
        static async Task<long> AllocatedByAsync(TestGateway gateway)
        {
            var device = new TestDevice();
            await LiveManyAsync(gateway, device);
            long before = GC.GetTotalAllocatedBytes(precise: true);
            await LiveManyAsync(gateway, device);
            return (GC.GetTotalAllocatedBytes(precise: true) - before) / Handshakes;
        }

        static async Task LiveManyAsync(TestGateway gateway, TestDevice device)
        {
            for (int i = 0; i < Handshakes; i++)
            {
                await LiveAsync(gateway, device, clientCloses: true);
            }
        }
    }

    private static async Task ShouldThrowNothingAsync(Func<Task> live)
    {
        await live(); // what is only once is over after this
        var thrown = new ConcurrentQueue<string>();
        EventHandler<FirstChanceExceptionEventArgs> listener = (_, e) => thrown.Enqueue($"{e.Exception}\n{Environment.StackTrace}");
        AppDomain.CurrentDomain.FirstChanceException += listener;
        try
        {
            for (int i = 0; i < Connections; i++)
            {
                await live();
            }
        }
        finally
        {
            AppDomain.CurrentDomain.FirstChanceException -= listener;
        }

        thrown.ShouldBeEmpty();
    }

    private static async Task LiveAsync(TestGateway gateway, TestDevice device, bool clientCloses)
    {
        Outcome outcome = await TestClient.ConnectAsync(gateway.Port, device);
        outcome.ShouldBeAdmitted();
        FrameConnection backend = await gateway.Backend.AcceptAsync();
        await EchoAsync(outcome.Client, "hello");
        if (clientCloses)
        {
            await outcome.Client.CloseAsync();
            (await outcome.Client.ReceiveCloseAsync()).CloseCode.ShouldBe(1000);
        }
        else
        {
            await outcome.Client.SendTextAsync("leave");
            (await outcome.Client.ReceiveCloseAsync()).CloseCode.ShouldBe(1001);
            await outcome.Client.CloseAsync(1001);
        }

        await backend.Completion;
        (await outcome.Client.ReceiveAsync()).ShouldBeNull();
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Sessions.Count == 0), "the session is over");
        await outcome.Client.DisposeAsync();
    }

    /// <summary>An agent that ends the connection as RFC 6455 has it: its close frame, then the client's, then the end.</summary>
    private static async Task LeavesWhenToldAsync(FrameConnection client)
    {
        await client.SendTextAsync(Protocol.Challenge("a-nonce"));
        await client.SendTextAsync(Protocol.HelloOk((await client.ReceiveJsonAsync()).GetProperty("id").GetString()!));
        while (await client.ReceiveAsync() is { Opcode: Opcode.Text } frame && frame.Text != "leave")
        {
            await client.SendTextAsync(frame.Text);
        }

        await client.CloseAsync(1001);
        await client.ReceiveCloseAsync();
    }

    private static async Task EchoAsync(FrameConnection client, string text)
    {
        await client.SendTextAsync(text);
        (await client.ReceiveAsync())!.Text.ShouldBe(text);
    }

    /// <summary>What this process has rented of the shared array pool and not given back: the tunnels' buffers, and the server's.</summary>
    private sealed class RentedBuffers(int atLeast) : EventListener
    {
        private const int Rented = 1;
        private const int Returned = 3;

        private readonly ConcurrentDictionary<int, bool> _outstanding = new();
        private int _seen;

        public int Seen => Volatile.Read(ref _seen);

        public int Outstanding => _outstanding.Count;

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "System.Buffers.ArrayPoolEventSource")
                EnableEvents(eventSource, EventLevel.Verbose);
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            if (eventData.EventId is not (Rented or Returned) || (int)eventData.Payload![1]! < atLeast)
                return;
            int buffer = (int)eventData.Payload[0]!;
            if (eventData.EventId == Returned)
            {
                _outstanding.TryRemove(buffer, out _);
                return;
            }

            Interlocked.Increment(ref _seen);
            _outstanding[buffer] = true;
        }
    }
}
