using System.Text;
using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Handshakes.InMemory;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>What the gate does with a backend's bytes during the handshake: what it passes on at once, what it holds, and what it reads of it.</summary>
public sealed class BackendAnswerTests : IDisposable
{
    private const string Event = """{"type":"event","event":"tick"}""";
    private const string HelloOk = """{"payload":{"type":"hello-ok"},"id":"17","ok":true,"type":"res"}"""; // which is known at its end only
    private const string Refused = """{"type":"res","id":"17","ok":false,"error":{"code":"INVALID_REQUEST","message":"no"}}""";
    private const string AuditedRefusal = "backend-refused INVALID_REQUEST";
    private const int MostHeld = 16 * 1024;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly MemoryGate _gate = new();

    public void Dispose() => _gate.Dispose();

    // How many bytes come at a time.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(50)]
    [InlineData(1000)]
    public async Task A_refusal_is_read_and_passed_on_wherever_its_bytes_are_cut(int size)
    {
        MemoryTunnel tunnel = await ForwardAsync();

        await SendAsync(tunnel, [.. tunnel.Backend.Frame(Opcode.Text, Event), .. tunnel.Backend.Frame(Opcode.Ping, "1"), .. tunnel.Backend.Frame(Opcode.Text, Refused), .. tunnel.Backend.Frame(Opcode.Close, "\u0003no!")], size);
        await tunnel.Backend.CloseAsync();

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Event);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Ping 1");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Refused);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 878 o!");
        _gate.Audited.ShouldContain(AuditedRefusal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(50)]
    [InlineData(1000)]
    public async Task An_acceptance_is_read_and_passed_on_wherever_its_bytes_are_cut(int size)
    {
        MemoryTunnel tunnel = await ForwardAsync();

        await SendAsync(tunnel, [.. tunnel.Backend.Frame(Opcode.Text, Event), .. tunnel.Backend.Frame(Opcode.Text, HelloOk), .. tunnel.Backend.Frame(Opcode.Text, Event)], size);

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Event);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + HelloOk);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Event);
    }

    // What comes before a refusal does not wait for the refusal's end.
    [Fact]
    public async Task Only_what_may_be_a_refusal_is_held()
    {
        MemoryTunnel tunnel = await ForwardAsync();
        byte[] refused = tunnel.Backend.Frame(Opcode.Text, Refused);

        await tunnel.Backend.SendAsync([.. tunnel.Backend.Frame(Opcode.Text, Event), .. refused[..20]]);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Event);
        await tunnel.Backend.SendAsync(refused[20..]);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Refused);

        _gate.Audited.ShouldContain(AuditedRefusal);
    }

    // A refusal and what comes right behind it, after other bytes of the backend's.
    [Fact]
    public async Task A_refusal_is_read_without_what_comes_behind_it()
    {
        MemoryTunnel tunnel = await ForwardAsync();
        await tunnel.Backend.SendAsync(Event);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Event);

        await tunnel.Backend.SendAsync([.. tunnel.Backend.Frame(Opcode.Text, Refused), .. tunnel.Backend.Frame(Opcode.Text, Event), .. tunnel.Backend.Frame(Opcode.Close, "\u0003no!")]);

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Refused);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Event);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 878 o!");
        _gate.Audited.ShouldContain(AuditedRefusal);
    }

    // A backend could fill the memory with a refusal that does not end. What is longer goes to the client as it comes, and is not read.
    [Theory]
    [InlineData(MostHeld, AuditedRefusal)]
    [InlineData(MostHeld + 1, "backend-refused no reason")]
    public async Task A_refusal_is_held_up_to_16_KiB(int length, string audited)
    {
        MemoryTunnel tunnel = await ForwardAsync();
        string refused = Refused.Replace("no", "no" + new string('x', length - 4 - Refused.Length), StringComparison.Ordinal);

        await tunnel.Backend.SendAsync(refused); // behind four bytes of header

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + refused);
        _gate.Audited.ShouldContain(audited);
    }

    [Fact]
    public async Task A_refusal_that_is_no_valid_text_says_nothing()
    {
        MemoryTunnel tunnel = await ForwardAsync();
        byte[] payload = Encoding.UTF8.GetBytes(Refused);
        payload[^4] = 0xFF; // in its message

        await tunnel.Backend.SendAsync([0x81, (byte)payload.Length, .. payload]);

        await Eventually.HoldsAsync(() => Task.FromResult(_gate.Audited.Any(e => e.StartsWith("backend-refused", StringComparison.Ordinal))), "it is refused", Endpoint.Patience);
        _gate.Audited.ShouldContain("backend-refused no reason");
    }

    [Fact]
    public async Task A_session_that_is_revoked_after_the_backends_refusal_ends_with_why()
    {
        MemoryTunnel tunnel = await ForwardAsync();
        await tunnel.Backend.SendAsync(Refused);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Refused);

        await Task.Run(() => _gate.Get<SessionTable>().CloseAll(Closing.DeviceBlocked));

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1008 device blocked");
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Close 1000");
    }

    // The client's close frame must not fall into the middle of a frame of the backend's, which may come slowly.
    [Fact]
    public async Task A_frame_that_is_found_broken_in_its_middle_goes_on_to_its_end()
    {
        MemoryTunnel tunnel = await ForwardAsync();
        const string text = """{"type":"event", no JSON from here on}""";
        byte[] broken = tunnel.Backend.Frame(Opcode.Text, text);
        await tunnel.Backend.SendAsync(broken[..18]); // which the client gets
        await tunnel.Backend.SendAsync(broken[18..30]);
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Close 1000");

        await _gate.AdvanceAsync(2 * Second);
        await tunnel.Backend.SendAsync(broken[30..]);

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + text);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1011 backend handshake failed");
    }

    [Fact]
    public async Task A_backend_has_a_second_to_answer_the_close_frame()
    {
        MemoryTunnel tunnel = await ForwardAsync();
        await tunnel.Backend.SendAsync("not JSON");
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Close 1000");

        DateTimeOffset start = _gate.Time.GetUtcNow();
        await Eventually.HoldsAsync(
            async () =>
            {
                if (!tunnel.IsBackendClosed)
                    await _gate.AdvanceAsync(TimeSpan.FromMilliseconds(50));
                return tunnel.IsBackendClosed;
            },
            "its connection is closed",
            Endpoint.Patience);

        (_gate.Time.GetUtcNow() - start).ShouldBeInRange(0.8 * Second, 2 * Second); // the wait may begin a moment later
    }

    // A backend that takes nothing: its connection must not come to the proxy, to which it would be an open one.
    [Fact]
    public async Task A_session_that_is_revoked_before_the_backend_has_the_request_gets_nobodys_stream()
    {
        using var gate = new MemoryGate(options => options with { MaxHandshakeBytes = 4 * 1024 * 1024 });
        MemoryTunnel tunnel = await gate.ConnectAsync();
        await tunnel.ChallengeAsync();
        JsonNode connect = JsonNode.Parse(tunnel.Connect())!;
        connect["params"]!["more"] = new string('x', 2 * 1024 * 1024); // than may be on the way
        await tunnel.Client.SendAsync(connect.ToJsonString());
        await tunnel.Backend.Stream.ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Endpoint.Patience); // the request is on its way

        await Task.Run(() => gate.Get<SessionTable>().CloseAll(Closing.DeviceRemoved));

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1008 device removed");
        await tunnel.Client.CloseAsync();
        await tunnel.EndAsync();

        tunnel.Relayed.ShouldBe("ended");
        gate.Audited.ShouldNotContain("session-opened");
    }

    [Fact]
    public async Task A_client_that_hangs_up_before_the_challenge_gets_nobodys_stream()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();

        await tunnel.HangUpAsync();
        await tunnel.EndAsync();

        (tunnel.Relayed, tunnel.IsBackendClosed).ShouldBe(("ended", true));
    }

    // ---- before the decision

    [Fact]
    public async Task The_backends_answer_to_a_ping_reaches_the_client_at_once()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ChallengeAsync();

        await tunnel.Client.SendAsync(Opcode.Ping, "1");
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Ping 1");
        await tunnel.Backend.SendAsync(Opcode.Pong, "1");

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Pong 1");
    }

    // Else a backend could fill the memory before its client has said a word.
    [Fact]
    public async Task Of_a_backend_that_goes_on_no_more_is_read_before_the_decision()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ChallengeAsync();
        await tunnel.Client.SendAsync(Opcode.Ping, "1"); // from now on the backend is heard
        tunnel.IsBackendRead.ShouldBeTrue();

        await tunnel.Backend.SendAsync(Event);

        tunnel.IsBackendRead.ShouldBeFalse();
    }

    [Fact]
    public async Task A_client_that_closes_gets_all_that_the_backend_still_says()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ChallengeAsync();
        await tunnel.Client.SendAsync(Opcode.Close, "\u0003bye");
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Close 866 ye");

        await tunnel.Backend.SendAsync(Opcode.Ping, "1");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Ping 1");
        await tunnel.Backend.SendAsync(Opcode.Ping, "2");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Ping 2");
        await tunnel.Backend.SendAsync(Opcode.Close, "\u0003ok!");

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 879 k!");
    }

    // Of a connection there may be one read at a time: the next one is for the client's close frame.
    [Fact]
    public async Task A_silent_client_whose_backend_has_left_can_still_answer_its_close_frame()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ChallengeAsync();
        await tunnel.Backend.CloseAsync();
        await _gate.AdvanceAsync(Second);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1011 backend handshake failed");
        await Eventually.HoldsAsync(() => Task.FromResult(tunnel.Relayed == "ended"), "the proxy has finished", Endpoint.Patience);

        await tunnel.Client.SendAsync(Opcode.Close, "");

        await tunnel.EndAsync();
        tunnel.IsAborted.ShouldBeFalse();
    }

    private static async Task SendAsync(MemoryTunnel tunnel, byte[] bytes, int size)
    {
        for (int i = 0; i < bytes.Length; i += size)
            await tunnel.Backend.SendAsync(bytes[i..Math.Min(i + size, bytes.Length)]);
    }

    /// <summary>A device is admitted, and the backend has its request.</summary>
    private async Task<MemoryTunnel> ForwardAsync()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ForwardAsync();
        return tunnel;
    }
}
