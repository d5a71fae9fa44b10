using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Handshakes.InMemory;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>The handshake from challenge to tunnel, step by step, with a clock that the test moves. Each step: what each side gets if the other one does this.</summary>
public sealed class ConnectFrameTests : IDisposable
{
    private const string Challenge = MemoryTunnel.ChallengeText;
    private const string HelloOk = """{"type":"res","id":"17","ok":true,"payload":{"type":"hello-ok"}}""";
    private const string Refused = """{"type":"res","id":"17","ok":false}""";
    private static readonly TimeSpan Prompt = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);

    private readonly MemoryGate _gate = new();

    private TimeSpan Timeout => _gate.Options.HandshakeTimeout;

    public void Dispose() => _gate.Dispose();

    // ---- admitted

    [Fact]
    public async Task A_client_that_does_not_take_the_challenge_is_to_blame_for_it_and_not_the_backend()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync(room: 1);
        await tunnel.Backend.SendAsync(Challenge);

        await _gate.AdvanceAsync(Timeout);
        await Eventually.HoldsAsync(() => Task.FromResult(_gate.Audited.Count > 0), "it is entered, after it was logged");

        _gate.Logged.ShouldBe([1101]);
        _gate.Audited.ShouldBe(["device-refused handshake timeout"]);
    }

    [Fact]
    public async Task An_admitted_devices_bytes_are_relayed_both_ways_as_they_are()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ForwardAsync();
        tunnel.Relayed.ShouldBeNull();
        _gate.Get<HandshakeBudgets>().InUse.ShouldBe(1);

        await tunnel.Backend.SendAsync(HelloOk);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + HelloOk);
        await tunnel.Client.SendAsync("ask");
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Text ask");
        await tunnel.Backend.SendAsync("tell");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text tell");

        tunnel.Relayed.ShouldBe("backend");
        _gate.Get<HandshakeBudgets>().InUse.ShouldBe(0, "it is no handshake any more");
        _gate.Get<SessionTable>().Count.ShouldBe(1);
        tunnel.Http.Features.Get<IDeviceFeature>().ShouldNotBeNull();

        await tunnel.Client.CloseAsync();
        await tunnel.EndAsync();
        tunnel.IsBackendClosed.ShouldBeTrue();
        _gate.Get<SessionTable>().Count.ShouldBe(0);
        _gate.Audited.ShouldBe(["device-auto-approved not-paired", "device-admitted", "session-opened", "session-closed"]);
    }

    [Fact]
    public async Task Frames_of_the_client_after_its_connect_reach_the_backend_once_it_is_admitted()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        string connect = tunnel.Connect();
        await tunnel.ChallengeAsync();

        await tunnel.Client.SendAsync([.. tunnel.Client.Frame(Opcode.Text, connect), .. tunnel.Client.Frame(Opcode.Text, "early")]);
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Text " + connect);
        await tunnel.Backend.SendAsync(HelloOk);

        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Text early");
    }

    [Fact]
    public async Task Frames_of_the_backend_before_and_after_its_answer_are_relayed_in_order()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.Backend.SendAsync([.. tunnel.Backend.Frame(Opcode.Text, Challenge), .. tunnel.Backend.Frame(Opcode.Text, "[1]")]);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Challenge);
        await tunnel.Client.SendAsync(tunnel.Connect());
        await tunnel.Backend.ReceiveAsync();

        await tunnel.Backend.SendAsync([.. tunnel.Backend.Frame(Opcode.Text, "[2]"), .. tunnel.Backend.Frame(Opcode.Text, HelloOk), .. tunnel.Backend.Frame(Opcode.Text, "more")]);

        foreach (string expected in (string[])["[1]", "[2]", HelloOk, "more"])
            (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + expected);
    }

    [Fact]
    public async Task Only_a_device_that_was_paired_already_makes_its_address_familiar()
    {
        MemoryTunnel first = await OpenAsync(new SigningDevice());
        IsFamiliar().ShouldBeFalse("a rule has approved it just now");

        await OpenAsync(first.Device);
        IsFamiliar().ShouldBeTrue();

        bool IsFamiliar() => _gate.Get<ClientHistory>().FamiliarityOf(MemoryTunnel.Client192)[0];
    }

    // ---- the challenge

    [Theory]
    [InlineData("Text", """{"type":"event","event":"other"}""")]
    [InlineData("Text", "hello")]
    [InlineData("Text", "[]")]
    [InlineData("Binary", Challenge)]
    [InlineData("Close", "")]
    public async Task A_backend_that_does_not_challenge_is_of_another_protocol(string opcode, string payload)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();

        await tunnel.Backend.SendAsync(Enum.Parse<Opcode>(opcode), payload);

        await ShouldEndAsync(tunnel, "Close 1011 backend handshake failed");
        _gate.Logged.ShouldContain(1102);
    }

    [Fact]
    public async Task A_backend_that_masks_its_frames_is_of_another_protocol()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();

        await tunnel.Backend.SendAsync(tunnel.Client.Frame(Opcode.Text, Challenge));

        await ShouldEndAsync(tunnel, "Close 1011 backend handshake failed");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_backend_that_leaves_before_its_challenge_ends_the_handshake(bool isReset)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();

        await (isReset ? tunnel.Backend.ResetAsync() : tunnel.Backend.CloseAsync());

        await ShouldEndAsync(tunnel, "Close 1011 backend handshake failed");
        _gate.Logged.ShouldContain(1102);
    }

    [Fact]
    public async Task A_backend_that_does_not_challenge_in_time_ends_the_handshake()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();

        await _gate.AdvanceAsync(Timeout - Tick);
        tunnel.IsBackendClosed.ShouldBeFalse();
        await _gate.AdvanceAsync(Tick);

        await ShouldEndAsync(tunnel, "Close 1011 backend handshake failed");
        _gate.Logged.ShouldContain(1102);
    }

    [Fact]
    public async Task The_backends_pings_before_its_challenge_reach_the_client()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();

        await tunnel.Backend.SendAsync(Opcode.Ping, "1");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Ping 1");
        await tunnel.Backend.SendAsync([.. tunnel.Backend.Frame(Opcode.Pong, "2"), .. tunnel.Backend.Frame(Opcode.Text, Challenge)]);

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Pong 2");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Challenge);
    }

    [Fact]
    public async Task A_client_that_does_not_read_its_challenge_is_not_waited_for()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync(room: 16);
        await tunnel.Backend.SendAsync(Challenge);

        await _gate.AdvanceAsync(Timeout);
        await Eventually.HoldsAsync(() => Task.FromResult(tunnel.IsBackendClosed), "the backend's connection is closed");
        await Eventually.HoldsAsync(
            async () =>
            {
                await _gate.AdvanceAsync(Second);
                return tunnel.IsAborted;
            },
            "the client's connection is aborted, as it does not take a close frame either");

        await tunnel.EndAsync();
    }

    // ---- the client's first message

    [Fact]
    public async Task A_client_that_says_nothing_has_the_whole_time_from_its_challenge_on()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await _gate.AdvanceAsync(Timeout - Tick);
        await tunnel.ChallengeAsync();

        await _gate.AdvanceAsync(Timeout - Tick);
        tunnel.IsBackendClosed.ShouldBeFalse();
        await _gate.AdvanceAsync(Tick);

        await ShouldEndAsync(tunnel, "Close 1008 handshake timeout");
        _gate.Logged.ShouldContain(1101);
        _gate.Audited.ShouldBe(["device-refused handshake timeout"]);
    }

    // What the client sends, and what it is told. 9 stands for a ping.
    [Theory]
    [InlineData("81", "Close 1002 protocol error")] // not masked
    [InlineData("C1", "Close 1002 protocol error")]
    [InlineData("binary", "Close 1008 invalid handshake: binary message")]
    [InlineData("not UTF-8", "Close 1007 invalid UTF-8")]
    [InlineData("long", "Close 1009 handshake too large")]
    [InlineData("pings", "Close 1008 invalid handshake: too many control frames")]
    [InlineData("no JSON", "Close 1008 invalid handshake: not strict JSON")]
    public async Task A_client_that_breaks_the_rules_is_told_which_one(string what, string expected)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ChallengeAsync();

        await tunnel.Client.SendAsync(what switch
        {
            "81" => tunnel.Backend.Frame(Opcode.Text, tunnel.Connect()),
            "C1" => [0xC1, 0x80],
            "binary" => tunnel.Client.Frame(Opcode.Binary, tunnel.Connect()),
            "not UTF-8" => WebSockets.SomeFrames.Encode(Opcode.Text, [0xFF], masked: true),
            "long" => tunnel.Client.Frame(Opcode.Text, new string(' ', _gate.Options.MaxHandshakeBytes + 1)),
            "pings" => [.. Enumerable.Range(0, MessageReader.MaxControlFrames + 1).SelectMany(_ => tunnel.Client.Frame(Opcode.Ping, ""))],
            _ => tunnel.Client.Frame(Opcode.Text, "{"),
        });

        await ShouldEndAsync(tunnel, expected);
        _gate.Logged.ShouldContain(1101);
        _gate.Audited.ShouldBe(["device-refused " + expected[11..]]);
    }

    [Theory]
    [InlineData("other", "device signature invalid", "DEVICE_AUTH_SIGNATURE_INVALID")]
    [InlineData("role", "invalid handshake: params.role is malformed", "INVALID_REQUEST")]
    public async Task A_request_that_is_refused_is_answered_and_then_closed(string what, string reason, string code)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        string connect = tunnel.Connect();
        await tunnel.ChallengeAsync();

        await tunnel.Client.SendAsync(what == "role"
            ? connect.Replace("\"operator\"", "\"\"", StringComparison.Ordinal)
            : connect.Replace("operator.read", "operator.admin", StringComparison.Ordinal));

        string answer = await tunnel.Client.ReceiveAsync();
        answer.ShouldStartWith("""Text {"type":"res","id":"17","ok":false,""");
        answer.ShouldContain(code);
        await ShouldEndAsync(tunnel, "Close 1008 " + reason);
        _gate.Audited.ShouldBe(["device-refused " + reason]);
    }

    [Fact]
    public async Task A_connect_may_come_in_pieces_and_pings_between_them_reach_the_backend()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ChallengeAsync();
        string connect = tunnel.Connect();

        await tunnel.Client.SendAsync(tunnel.Client.Frame(Opcode.Text, connect[..20], isFinal: false));
        byte[] ping = tunnel.Client.Frame(Opcode.Ping, "1");
        await tunnel.Client.SendAsync(ping[..3]);
        await tunnel.Client.SendAsync(ping[3..]);
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Ping 1");
        await tunnel.Backend.SendAsync(Opcode.Pong, "1");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Pong 1", "without the wait that a prompt answer is given");
        await tunnel.Client.SendAsync(tunnel.Client.Frame(Opcode.Continuation, connect[20..]));

        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Text " + connect[..20]);
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Continuation " + connect[20..]);
        await tunnel.Backend.SendAsync(HelloOk);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + HelloOk);
    }

    [Fact]
    public async Task The_backend_is_heard_while_the_client_is_silent_and_what_is_no_control_frame_is_held()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ChallengeAsync();
        await tunnel.Backend.SendAsync(Opcode.Ping, "1");
        await _gate.AdvanceAsync(Prompt - Tick);
        tunnel.IsBackendRead.ShouldBeFalse("a stranger who answers at once costs no read that has to be given up");
        await _gate.AdvanceAsync(Tick);

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Ping 1");
        await tunnel.Backend.SendAsync(Opcode.Ping, "2");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Ping 2");
        await tunnel.Backend.SendAsync("[1]");
        await tunnel.Backend.SendAsync(Opcode.Ping, "3");
        await tunnel.Client.SendAsync(tunnel.Connect());
        await tunnel.Backend.ReceiveAsync();

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text [1]");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Ping 3");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_backend_that_leaves_a_silent_client_ends_the_handshake(bool isReset)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ChallengeAsync();
        await (isReset ? tunnel.Backend.ResetAsync() : tunnel.Backend.CloseAsync());

        await _gate.AdvanceAsync(Prompt);

        await ShouldEndAsync(tunnel, "Close 1011 backend handshake failed");
        _gate.Logged.ShouldContain(1104);
        _gate.Audited.ShouldBeEmpty("nothing was refused");
    }

    [Fact]
    public async Task A_backend_that_is_gone_when_the_client_pings_ends_the_handshake()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ChallengeAsync();
        await tunnel.Backend.CloseAsync();

        await tunnel.Client.SendAsync(Opcode.Ping, "1");

        await ShouldEndAsync(tunnel, "Close 1011 backend handshake failed");
        _gate.Logged.ShouldContain(1104);
    }

    [Fact]
    public async Task A_client_that_closes_gets_the_backends_answer_to_that()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ChallengeAsync();

        await tunnel.Client.SendAsync(Opcode.Close, "\u0003bye");
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Close 866 ye");
        await tunnel.Backend.SendAsync(Opcode.Close, "\u0003ok!");
        await tunnel.Backend.CloseAsync();

        (await tunnel.Client.ReceiveAllAsync()).ShouldBe(["Close 879 k!"]);
        await tunnel.EndAsync();
        tunnel.Relayed.ShouldBe("ended");
    }

    [Fact]
    public async Task A_client_that_closes_does_not_wait_long_for_the_backend()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ChallengeAsync();

        await tunnel.Client.SendAsync(Opcode.Close, "\u0003bye");
        await tunnel.Backend.ReceiveAsync();
        await _gate.AdvanceAsync(Second - Tick);
        tunnel.IsBackendClosed.ShouldBeFalse();
        await _gate.AdvanceAsync(Tick);

        (await tunnel.Client.ReceiveAllAsync()).ShouldBeEmpty();
        tunnel.IsBackendClosed.ShouldBeTrue();
    }

    [Theory]
    [InlineData("close")]
    [InlineData("reset")]
    [InlineData("hang up")]
    public async Task A_client_that_leaves_is_told_nothing_and_counted_against_nobody(string how)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ChallengeAsync();
        await _gate.AdvanceAsync(Prompt);

        await (how switch
        {
            "close" => tunnel.Client.CloseAsync(),
            "reset" => tunnel.Client.ResetAsync(),
            _ => tunnel.HangUpAsync(),
        });

        await tunnel.EndAsync();
        tunnel.IsBackendClosed.ShouldBeTrue();
        tunnel.Relayed.ShouldBe("ended");
        _gate.Audited.ShouldBeEmpty();
        _gate.Logged.ShouldBeEmpty();
        _gate.Get<HandshakeBudgets>().InUse.ShouldBe(0);
    }

    [Fact]
    public async Task A_client_that_hangs_up_before_the_challenge_is_told_nothing()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();

        await tunnel.HangUpAsync();

        await tunnel.EndAsync();
        tunnel.IsBackendClosed.ShouldBeTrue();
        (await tunnel.Client.ReceiveAllAsync()).ShouldBeEmpty();
        _gate.Logged.ShouldBeEmpty();
    }

    // ---- giving way, and the gateway's end

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_handshake_whose_place_is_needed_may_come_again(bool isChallenged)
    {
        using var crowded = new MemoryGate(o => o with { Limits = new DeviceAuthLimits { HandshakesPerAddress = 1 } });
        MemoryTunnel tunnel = await crowded.ConnectAsync();
        if (isChallenged)
            await tunnel.ChallengeAsync();

        await crowded.ConnectAsync();

        await ShouldEndAsync(tunnel, "Close 1013 try again later");
        crowded.Logged.ShouldContain(1107);
        crowded.Audited.ShouldBe(["device-refused try again later"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_gateway_that_ends_says_so_to_silent_clients(bool isChallenged)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        if (isChallenged)
            await tunnel.ChallengeAsync();

        await Task.Run(() => _gate.Get<Draining>().StoppingAsync(default));

        await ShouldEndAsync(tunnel, "Close 1012 gateway restarting");
        _gate.Audited.ShouldBeEmpty();
    }

    // ---- the decision

    [Fact]
    public async Task A_device_that_is_not_paired_is_told_its_request_and_the_backend_hears_nothing()
    {
        MemoryTunnel tunnel = await AskAsync(Some.Origin);

        string answer = await tunnel.Client.ReceiveAsync();
        answer.ShouldContain("PAIRING_REQUIRED");
        answer.ShouldContain(tunnel.Device.Id.ToString());
        string close = await tunnel.Client.ReceiveAsync();
        close.ShouldStartWith("Close 1008 pairing required: device is not approved yet (requestId: ");
        (await tunnel.Backend.ReceiveAllAsync()).ShouldBeEmpty();
        await tunnel.Client.CloseAsync();
        await tunnel.EndAsync();
        tunnel.Relayed.ShouldBe("ended");
        _gate.Get<SessionTable>().Count.ShouldBe(0);
    }

    [Theory]
    [InlineData(null, "Close 1008 unauthorized")]
    [InlineData("wrong", "Close 1008 unauthorized")]
    [InlineData("right", "Close 1008 pairing required")]
    public async Task Without_the_shared_token_nobody_may_ask(string? token, string expected)
    {
        using var gate = new MemoryGate(o => o with { SharedTokenSha256 = [.. SHA256.HashData("right"u8)] });

        MemoryTunnel tunnel = await AskAsync(Some.Origin, gate, token);

        (await tunnel.Client.ReceiveAsync()).ShouldStartWith("Text ");
        (await tunnel.Client.ReceiveAsync()).ShouldStartWith(expected);
    }

    // Only the next failure of the client is held back: one is free.
    [Theory]
    [InlineData("wrong", true)]
    [InlineData("right", false)]
    public async Task A_guess_at_the_shared_token_is_a_failure_and_a_device_that_waits_for_an_operator_has_not_failed(string token, bool isFailure)
    {
        using var gate = new MemoryGate(o => o with { SharedTokenSha256 = [.. SHA256.HashData("right"u8)] });

        await (await AskAsync(Some.Origin, gate, token)).Client.ReceiveAsync();

        gate.Get<ClientHistory>().Fail(MemoryTunnel.Client192, free: 1).ShouldBe(isFailure ? Prompt : TimeSpan.Zero);
    }

    [Theory]
    [InlineData("shut", "Close 1008 shut")]
    [InlineData("throws", "Close 1011 internal error")]
    public async Task A_filter_refuses_before_the_registry_is_asked(string says, string expected)
    {
        using var gate = new MemoryGate(add: s => s.AddSingleton<IAdmissionFilter>(new Filter(says)));

        MemoryTunnel tunnel = await AskAsync(Some.Loopback, gate);

        (await tunnel.Client.ReceiveAsync()).ShouldContain("INVALID_REQUEST");
        (await tunnel.Client.ReceiveAsync()).ShouldBe(expected);
        gate.Audited.ShouldBe(["device-refused " + expected[11..]], "nothing is approved");
    }

    [Fact]
    public async Task A_registry_that_is_away_is_no_reason_to_give_a_pairing_up()
    {
        _gate.Get<InMemoryDeviceStore>().IsAvailable = false;

        MemoryTunnel tunnel = await AskAsync(Some.Loopback);

        (await tunnel.Client.ReceiveAsync()).ShouldContain("\"UNAVAILABLE\"");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1013 registry unavailable");
    }

    [Fact]
    public async Task A_gateway_that_ends_decides_nothing_any_more()
    {
        var filter = new Filter("wait");
        using var gate = new MemoryGate(add: s => s.AddSingleton<IAdmissionFilter>(filter));
        MemoryTunnel waiting = await AskAsync(Some.Loopback, gate);
        await filter.Asked.Task;
        await Task.Run(() => gate.Get<Draining>().StoppingAsync(default));
        filter.Answer.SetResult(null);

        (await waiting.Client.ReceiveAsync()).ShouldContain("\"UNAVAILABLE\"");
        (await waiting.Client.ReceiveAsync()).ShouldBe("Close 1012 gateway restarting", "it is admitted, and closed at once");
        waiting.Http.Features.Get<IDeviceFeature>().ShouldNotBeNull();
        waiting.Relayed.ShouldBe("ended");
    }

    [Theory]
    [InlineData("device removed", "NOT_PAIRED")]
    [InlineData("gateway restarting", "UNAVAILABLE")]
    public async Task A_session_that_is_closed_while_it_is_decided_is_answered_by_why(string reason, string code)
    {
        var filter = new Filter("wait");
        using var gate = new MemoryGate(add: s => s.AddSingleton<IAdmissionFilter>(filter).AddSingleton<IDeviceStore>(p => new ClosingStore(p, reason)));

        MemoryTunnel tunnel = await AskAsync(Some.Loopback, gate);
        filter.Answer.SetResult(null);

        (await tunnel.Client.ReceiveAsync()).ShouldContain($"\"{code}\"");
        (await tunnel.Client.ReceiveAsync()).ShouldEndWith(reason);
        (await tunnel.Backend.ReceiveAllAsync()).ShouldBeEmpty("not one byte of it has gone out");
        await tunnel.Client.CloseAsync();
        await tunnel.EndAsync();
        gate.Audited.ShouldContain("session-closed " + reason);
    }

    [Fact]
    public async Task Where_the_proxy_would_not_relay_any_more_a_device_may_come_again()
    {
        var filter = new Filter("wait");
        using var gate = new MemoryGate(add: s => s.AddSingleton<IAdmissionFilter>(filter));
        MemoryTunnel tunnel = await AskAsync(Some.Loopback, gate);
        await filter.Asked.Task;

        await tunnel.TimeOutActivityAsync();
        filter.Answer.SetResult(null);

        (await tunnel.Client.ReceiveAsync()).ShouldContain("\"UNAVAILABLE\"");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1013 try again later");
        (await tunnel.Backend.ReceiveAllAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_client_that_hangs_up_while_it_is_decided_is_told_nothing()
    {
        var filter = new Filter("wait");
        using var gate = new MemoryGate(add: s => s.AddSingleton<IAdmissionFilter>(filter));
        MemoryTunnel tunnel = await AskAsync(Some.Loopback, gate);
        await filter.Asked.Task;

        await tunnel.HangUpAsync();
        filter.Answer.SetResult(null);

        await tunnel.EndAsync();
        (await tunnel.Client.ReceiveAllAsync()).ShouldBeEmpty();
        gate.Logged.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_fault_of_the_gate_itself_lets_nobody_in()
    {
        using var gate = new MemoryGate(add: s => s.AddSingleton<IDeviceStore>(new FaultyStore()));

        MemoryTunnel tunnel = await AskAsync(Some.Loopback, gate);

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1011 internal error");
        await tunnel.Client.CloseAsync();
        await tunnel.EndAsync();
        tunnel.Relayed.ShouldBe("ended");
        gate.Logged.ShouldBe([1106]);
    }

    // ---- failures that add up

    [Fact]
    public async Task A_client_that_fails_too_often_gets_a_delayed_answer_and_can_be_evicted_meanwhile()
    {
        using var gate = new MemoryGate(o => o with { Limits = new DeviceAuthLimits { FailuresPerAddress = 1, HandshakesPerAddress = 1 } });
        MemoryTunnel first = await FailAsync(gate);
        (await first.Client.ReceiveAsync()).ShouldStartWith("Close 1008", customMessage: "one failure is free");
        await first.Client.CloseAsync();
        await first.EndAsync();

        MemoryTunnel second = await FailAsync(gate);
        second.IsBackendClosed.ShouldBeTrue("its backend does not wait with it");
        await gate.AdvanceAsync(FailurePacer.ShortestDelay - Tick);
        gate.Get<HandshakeBudgets>().InUse.ShouldBe(1);
        await gate.AdvanceAsync(Tick);
        (await second.Client.ReceiveAsync()).ShouldStartWith("Close 1008");
        await second.Client.CloseAsync();
        await second.EndAsync();

        MemoryTunnel third = await FailAsync(gate);
        await gate.ConnectAsync(); // takes its place
        (await third.Client.ReceiveAsync()).ShouldStartWith("Close 1008");

        static async Task<MemoryTunnel> FailAsync(MemoryGate gate)
        {
            MemoryTunnel tunnel = await gate.ConnectAsync();
            await tunnel.ChallengeAsync();
            await tunnel.Client.SendAsync(Opcode.Binary, "");
            return tunnel;
        }
    }

    // ---- the backend's answer

    [Fact]
    public async Task A_backend_that_does_not_answer_in_time_gets_a_close_frame_as_a_client_would_send_it()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ForwardAsync();

        await _gate.AdvanceAsync(Timeout - Tick);
        tunnel.IsBackendClosed.ShouldBeFalse();
        await _gate.AdvanceAsync(Tick);

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1011 backend handshake failed");
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Close 1000");
        await tunnel.Backend.CloseAsync();
        await ShouldEndAfterDecisionAsync(tunnel);
        _gate.Logged.ShouldBe([1103]);
        _gate.Audited.ShouldContain("session-closed backend handshake failed");
    }

    [Fact]
    public async Task A_backend_that_does_not_answer_the_close_frame_is_not_waited_for_long()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ForwardAsync();
        await _gate.AdvanceAsync(Timeout);
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Close 1000");
        await tunnel.Client.CloseAsync();

        await Eventually.HoldsAsync(
            async () =>
            {
                await _gate.AdvanceAsync(Second);
                return tunnel.IsBackendClosed;
            },
            "the backend's connection is closed");

        await tunnel.EndAsync();
    }

    [Theory]
    [InlineData("""{"type":"res","id":"17","ok":true}x""")]
    [InlineData("not JSON")]
    public async Task A_backend_that_breaks_the_protocol_admits_nobody(string answer)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ForwardAsync();

        await tunnel.Backend.SendAsync(answer);

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1011 backend handshake failed");
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Close 1000");
        await tunnel.Backend.CloseAsync();
        await ShouldEndAfterDecisionAsync(tunnel);
        _gate.Logged.ShouldBe([1103]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_backend_that_leaves_without_an_answer_ends_the_handshake(bool isReset)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ForwardAsync();

        await (isReset ? tunnel.Backend.ResetAsync() : tunnel.Backend.CloseAsync());

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1011 backend handshake failed");
        await ShouldEndAfterDecisionAsync(tunnel);
        _gate.Logged.ShouldBe([1104]);
    }

    [Fact]
    public async Task A_backend_that_is_gone_before_it_gets_the_request_ends_the_handshake()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ChallengeAsync();
        await tunnel.Backend.CloseAsync();

        await tunnel.Client.SendAsync(tunnel.Connect());

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1011 backend handshake failed");
        await ShouldEndAfterDecisionAsync(tunnel);
        _gate.Logged.ShouldBe([1104]);
    }

    [Fact]
    public async Task A_refusal_of_the_backend_is_the_clients_answer_and_its_close_frame_too()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ForwardAsync();

        await tunnel.Backend.SendAsync(Refused);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Refused);
        await tunnel.Client.SendAsync("more");
        await tunnel.Backend.SendAsync(Opcode.Close, "\u0003no!");
        await tunnel.Backend.CloseAsync();

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 878 o!");
        await ShouldEndAfterDecisionAsync(tunnel);
        (await tunnel.Backend.ReceiveAllAsync()).ShouldBeEmpty("nothing more of the client goes there");
        _gate.Logged.ShouldBe([1105]);
    }

    [Fact]
    public async Task A_backend_that_refuses_and_stays_is_closed_after_two_seconds()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ForwardAsync();
        await tunnel.Backend.SendAsync(Refused);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + Refused);
        await tunnel.Backend.SendAsync("more");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text more");

        await _gate.AdvanceAsync((2 * Second) - Tick);
        tunnel.IsBackendClosed.ShouldBeFalse();
        await _gate.AdvanceAsync(Tick);

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1011 backend handshake failed");
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Close 1000");
        await tunnel.Backend.CloseAsync();
        await ShouldEndAfterDecisionAsync(tunnel);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_session_that_is_revoked_while_the_backend_answers_ends_between_two_frames(bool hasBegun)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ForwardAsync();
        byte[] hello = tunnel.Backend.Frame(Opcode.Text, HelloOk);
        if (hasBegun)
            await tunnel.Backend.SendAsync(hello[..40]);

        await Task.Run(() => _gate.Get<SessionTable>().CloseAll(Closing.DeviceRemoved));

        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Close 1000");
        if (hasBegun)
        {
            await tunnel.Backend.SendAsync(hello[40..]);
            (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + HelloOk, "a frame that has begun goes on to its end");
        }

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1008 device removed");
        await tunnel.Backend.CloseAsync();
        await ShouldEndAfterDecisionAsync(tunnel);
        _gate.Audited.ShouldContain("session-closed device removed");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_that_hangs_up_while_the_backend_answers_is_told_nothing(bool isRefused)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync();
        await tunnel.ForwardAsync();
        if (isRefused)
        {
            await tunnel.Backend.SendAsync(Refused);
            await tunnel.Client.ReceiveAsync();
        }

        await tunnel.HangUpAsync();

        await tunnel.EndAsync();
        tunnel.IsBackendClosed.ShouldBeTrue();
        (await tunnel.Client.ReceiveAllAsync()).ShouldBeEmpty();
        tunnel.Relayed.ShouldBe("ended");
        _gate.Logged.ShouldBe(isRefused ? [1105] : []);
        _gate.Audited.ShouldContain("session-closed");
    }

    [Fact]
    public async Task An_open_session_that_is_revoked_ends_on_both_sides()
    {
        MemoryTunnel tunnel = await OpenAsync(new SigningDevice());

        await Task.Run(() => _gate.Get<SessionTable>().CloseAll(Closing.GrantRevoked));

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1008 grant revoked");
        (await tunnel.Backend.ReceiveAsync()).ShouldBe("Close 1000");
    }

    private async Task<MemoryTunnel> AskAsync(ClaimOrigin origin, MemoryGate? gate = null, string? token = null)
    {
        MemoryTunnel tunnel = await (gate ?? _gate).ConnectAsync(origin);
        await tunnel.ChallengeAsync();
        await tunnel.Client.SendAsync(tunnel.Connect(token: token));
        return tunnel;
    }

    private static async Task ShouldEndAfterDecisionAsync(MemoryTunnel tunnel)
    {
        await tunnel.Client.CloseAsync();
        await tunnel.EndAsync();
        tunnel.Relayed.ShouldBe("ended");
        tunnel.IsBackendClosed.ShouldBeTrue();
    }

    private async Task<MemoryTunnel> OpenAsync(SigningDevice device)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync(device: device);
        await tunnel.ForwardAsync();
        await tunnel.Backend.SendAsync(HelloOk);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + HelloOk);
        await Eventually.HoldsAsync(() => Task.FromResult(tunnel.Relayed is not null), "the proxy has the backend's stream");
        return tunnel;
    }

    /// <summary>The client gets this and no more, the backend nothing, and the proxy a stream that has ended.</summary>
    private static async Task ShouldEndAsync(MemoryTunnel tunnel, string closeFrame)
    {
        (await tunnel.Client.ReceiveAsync()).ShouldBe(closeFrame);
        await tunnel.Client.CloseAsync();
        await tunnel.EndAsync();
        tunnel.Relayed.ShouldBe("ended");
        tunnel.IsBackendClosed.ShouldBeTrue();
        tunnel.Http.Features.Get<IDeviceFeature>().ShouldBeNull();
    }

    /// <summary>Says what it is told to, or waits until the test answers for it.</summary>
    private sealed class Filter(string says) : IAdmissionFilter
    {
        public TaskCompletionSource Asked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource<string?> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async ValueTask<string?> RefuseAsync(AdmissionContext context, CancellationToken cancellationToken)
        {
            Asked.TrySetResult();
            return says switch
            {
                "wait" => await Answer.Task,
                "throws" => throw new InvalidOperationException("The filter is broken."),
                _ => says,
            };
        }
    }

    /// <summary>A store that fails in a way that no store should.</summary>
    private sealed class FaultyStore() : DelegatingStore(new InMemoryDeviceStore())
    {
        public override ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken) => throw new InvalidOperationException("A fault of the store's own.");
    }

    /// <summary>Closes the sessions that there are once a record is written.</summary>
    private sealed class ClosingStore(IServiceProvider services, string reason) : DelegatingStore(services.GetRequiredService<InMemoryDeviceStore>())
    {
        public override async ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken)
        {
            SwapResult result = await base.SwapAsync(swap, cancellationToken);
            services.GetRequiredService<SessionTable>().CloseAll(reason == Closing.DeviceRemoved.Reason ? Closing.DeviceRemoved : Closing.Restarting);
            return result;
        }
    }
}
