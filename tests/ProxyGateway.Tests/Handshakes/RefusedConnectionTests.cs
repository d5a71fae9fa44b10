using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Handshakes.InMemory;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>How a connection ends that the gate closes: what the client still gets, and how long the gate waits for it.</summary>
public sealed class RefusedConnectionTests : IDisposable
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private MemoryGate _gate = new();

    public void Dispose() => _gate.Dispose();

    // Strangers hold places among the handshakes, so the gate waits for them for a second only.
    [Fact]
    public async Task A_refused_client_has_a_second_to_answer_the_close_frame()
    {
        MemoryTunnel tunnel = await RefuseAsync();
        Task end = tunnel.EndAsync();
        end.IsCompleted.ShouldBeFalse();

        DateTimeOffset start = _gate.Time.GetUtcNow();
        await EndsAsync(end);

        tunnel.IsAborted.ShouldBeTrue();
        (_gate.Time.GetUtcNow() - start).ShouldBeInRange(Second, 4 * Second);
    }

    [Fact]
    public async Task An_admitted_client_has_five_seconds()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ForwardAsync();
        await tunnel.Backend.SendAsync("""{"type":"res","id":"17","ok":true,"payload":{}}""");
        await tunnel.Client.ReceiveAsync();
        _gate.Get<SessionTable>().CloseAll(Closing.DeviceBlocked);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1008 device blocked");
        await tunnel.Backend.CloseAsync();

        DateTimeOffset start = _gate.Time.GetUtcNow();
        await EndsAsync(tunnel.EndAsync());

        (_gate.Time.GetUtcNow() - start).ShouldBeGreaterThan(4 * Second);
    }

    [Fact]
    public async Task A_refused_client_that_answers_is_waited_for_no_longer()
    {
        MemoryTunnel tunnel = await RefuseAsync();

        await tunnel.Client.SendAsync(Opcode.Close, "");

        await tunnel.EndAsync();
        tunnel.IsAborted.ShouldBeFalse();
    }

    // Where one frame ends and the next begins is known only if no byte is lost: else the close frame would not be found.
    [Fact]
    public async Task What_came_behind_the_request_counts_as_read()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync(Some.Origin);
        byte[] pong = tunnel.Client.Frame(Opcode.Pong, "1234567890");
        await tunnel.ChallengeAsync();
        await tunnel.Client.SendAsync([.. tunnel.Client.Frame(Opcode.Text, tunnel.Connect()), .. pong[..7]]);
        (await tunnel.Client.ReceiveAsync()).ShouldContain("PAIRING_REQUIRED");
        (await tunnel.Client.ReceiveAsync()).ShouldStartWith("Close 1008");

        await tunnel.Client.SendAsync([.. pong[7..], .. tunnel.Client.Frame(Opcode.Close, "")]);

        await tunnel.EndAsync();
        tunnel.IsAborted.ShouldBeFalse();
    }

    [Fact]
    public async Task A_refusal_is_counted_by_its_outcome()
    {
        var counted = new ConcurrentQueue<string>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Name == "proxygateway.handshakes.completed" && ReferenceEquals(instrument.Meter.Scope, _gate.Get<IMeterFactory>()))
                    l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) => counted.Enqueue($"{value} {tags[^1].Value}"));
        listener.Start();

        await RefuseAsync();

        counted.ShouldBe(["1 pairing-required"]);
    }

    [Fact]
    public async Task A_refused_client_holds_no_place_of_its_destination()
    {
        _gate.Dispose();
        _gate = new MemoryGate(options => options with { Limits = options.Limits with { HandshakesPerDestination = 1 } });
        MemoryTunnel refused = await RefuseAsync();

        await _gate.ConnectAsync();

        refused.EndAsync().IsCompleted.ShouldBeFalse();
    }

    // A client may guess as often as it likes, but not quickly.
    [Fact]
    public async Task The_refusal_of_a_client_that_has_failed_often_is_held_back()
    {
        _gate.Dispose();
        _gate = new MemoryGate(options => options with { Limits = options.Limits with { FailuresPerAddress = 1 } });
        for (int i = 0; i < 5; i++)
            _gate.Get<ClientHistory>().Fail(MemoryTunnel.Client192, free: 1);
        MemoryTunnel tunnel = await _gate.ConnectAsync(Some.Origin);
        await tunnel.ChallengeAsync();
        DateTimeOffset start = _gate.Time.GetUtcNow();

        await tunnel.Client.SendAsync("{}");
        Task<string> answer = tunnel.Client.ReceiveAsync();
        await EndsAsync(answer, TimeSpan.FromMilliseconds(50));

        (await answer).ShouldStartWith("Close 1008 invalid handshake");
        (_gate.Time.GetUtcNow() - start).ShouldBeGreaterThan(Second);
    }

    /// <summary>Time passes until it has ended.</summary>
    private async Task EndsAsync(Task task, TimeSpan? step = null) => await Eventually.HoldsAsync(
        async () =>
        {
            if (!task.IsCompleted)
                await _gate.AdvanceAsync(step ?? TimeSpan.FromMilliseconds(200));
            return task.IsCompleted;
        },
        "it ends",
        Endpoint.Patience);

    /// <summary>A client that is not paired, and has got its close frame.</summary>
    private async Task<MemoryTunnel> RefuseAsync()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync(Some.Origin);
        await tunnel.ChallengeAsync();
        await tunnel.Client.SendAsync(tunnel.Connect());
        (await tunnel.Client.ReceiveAsync()).ShouldContain("PAIRING_REQUIRED");
        (await tunnel.Client.ReceiveAsync()).ShouldStartWith("Close 1008 pairing required");
        return tunnel;
    }
}
