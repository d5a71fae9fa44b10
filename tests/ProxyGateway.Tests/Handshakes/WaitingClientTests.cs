using System.Text.Json;
using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Handshakes.InMemory;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>A client that waits on its connection for the decision about its request, with a clock that the test moves.</summary>
public sealed class WaitingClientTests : IDisposable
{
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(20);

    private readonly MemoryGate _gate = new(options => options with { RequestLifetime = TimeSpan.FromHours(4) });

    public void Dispose() => _gate.Dispose();

    [Fact]
    public async Task A_client_waits_for_an_hour_and_may_come_again()
    {
        MemoryTunnel tunnel = await WaitAsync();

        await PassAsync(_gate, tunnel, PairingWaits.Longest - Step);
        _gate.Get<PairingWaits>().Count.ShouldBe(1);

        (await UntilClosedAsync(_gate, tunnel)).ShouldBe("Close 1013 try again later");
        await ShouldBeOverAsync(tunnel);
    }

    [Theory]
    [InlineData("device-pairing-wait", true)]
    [InlineData("device-pairing-waits", false)]
    [InlineData(null, false)]
    public async Task A_client_waits_if_its_request_says_that_it_can(string? capability, bool waits)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync(Some.Origin);
        JsonNode connect = JsonNode.Parse(tunnel.Connect())!;
        connect["params"]!["caps"] = new JsonArray("tool-events", capability, 1);
        await tunnel.ChallengeAsync();

        await tunnel.Client.SendAsync(connect.ToJsonString());

        (await tunnel.Client.ReceiveAsync()).Contains("\"waitForResolution\":true", StringComparison.Ordinal).ShouldBe(waits);
    }

    [Fact]
    public async Task A_client_that_answers_no_ping_is_gone()
    {
        DateTimeOffset start = _gate.Time.GetUtcNow();
        MemoryTunnel tunnel = await WaitAsync();

        (await UntilReceivedAsync(_gate, tunnel)).ShouldBe("Ping");
        (_gate.Time.GetUtcNow() - start).ShouldBeGreaterThanOrEqualTo(WaitingClient.PingAfter);
        _gate.Get<PairingWaits>().Count.ShouldBe(1);

        (await UntilReceivedAsync(_gate, tunnel)).ShouldBe("Close 1008 handshake timeout");
        (_gate.Time.GetUtcNow() - start).ShouldBeGreaterThanOrEqualTo(2 * WaitingClient.PingAfter);
        await ShouldBeOverAsync(tunnel);
    }

    [Fact]
    public async Task A_client_that_answers_pings_waits_on()
    {
        MemoryTunnel tunnel = await WaitAsync();

        for (int i = 0; i < 5; i++)
        {
            (await UntilReceivedAsync(_gate, tunnel)).ShouldBe("Ping");
            await tunnel.Client.SendAsync(Opcode.Pong, "");
        }

        _gate.Get<PairingWaits>().Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_client_that_takes_nothing_is_gone()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync(Some.Origin, room: 1); // less than the refusal
        await tunnel.ChallengeAsync();
        await tunnel.Client.SendAsync(Waiting(tunnel));
        await Eventually.HoldsAsync(() => Task.FromResult(_gate.Get<PairingWaits>().Count == 1), "it waits");

        DateTimeOffset start = _gate.Time.GetUtcNow();
        await Eventually.HoldsAsync(
            async () =>
            {
                await _gate.AdvanceAsync(TimeSpan.FromSeconds(5));
                return tunnel.IsAborted;
            },
            "its connection is aborted");
        (_gate.Time.GetUtcNow() - start).ShouldBeInRange(WaitingClient.PingAfter, 20 * WaitingClient.PingAfter, "and not by the hour that a client may wait");

        await tunnel.EndAsync();
        _gate.Get<PairingWaits>().Count.ShouldBe(0);
    }

    [Theory]
    [InlineData(Opcode.Ping, "Pong hello")]
    [InlineData(Opcode.Pong, null)]
    [InlineData(Opcode.Close, "Close 1000")]
    [InlineData(Opcode.Text, "Close 1008 invalid handshake: a message while the pairing is undecided")]
    [InlineData(Opcode.Binary, "Close 1008 invalid handshake: a message while the pairing is undecided")]
    [InlineData(Opcode.Continuation, "Close 1008 invalid handshake: a message while the pairing is undecided")]
    internal async Task What_a_waiting_client_may_send(Opcode opcode, string? answer)
    {
        MemoryTunnel tunnel = await WaitAsync();

        await tunnel.Client.SendAsync(opcode, opcode == Opcode.Close ? "\x3\xe8" : "hello");

        if (answer is not null)
            (await tunnel.Client.ReceiveAsync()).ShouldBe(answer);
        bool waits = answer is null || answer.StartsWith("Pong", StringComparison.Ordinal);
        await Eventually.HoldsAsync(() => Task.FromResult(_gate.Get<PairingWaits>().Count == (waits ? 1 : 0)), "it waits, or does not");
        _gate.Audited.ShouldNotContain("device-refused", "a client that leaves has done nothing wrong");
    }

    [Fact]
    public async Task What_comes_right_behind_the_request_counts_as_sent_while_it_waits()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync(Some.Origin);
        await tunnel.ChallengeAsync();
        await tunnel.Client.SendAsync([.. tunnel.Client.Frame(Opcode.Text, Waiting(tunnel)), .. tunnel.Client.Frame(Opcode.Ping, "early"), .. tunnel.Client.Frame(Opcode.Text, "{}")]);

        (await tunnel.Client.ReceiveAsync()).ShouldContain("waitForResolution");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Pong early");
        (await tunnel.Client.ReceiveAsync()).ShouldStartWith("Close 1008 invalid handshake");
        await ShouldBeOverAsync(tunnel);
    }

    [Fact]
    public async Task Frames_that_are_not_masked_end_the_wait()
    {
        MemoryTunnel tunnel = await WaitAsync();

        await tunnel.Client.SendAsync(FrameWriter.Control(Opcode.Ping, "x"u8));

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1002 protocol error");
        await ShouldBeOverAsync(tunnel);
    }

    [Fact]
    public async Task A_flood_of_control_frames_ends_the_wait()
    {
        MemoryTunnel tunnel = await WaitAsync();
        byte[] pong = tunnel.Client.Frame(Opcode.Pong, new string('x', FrameHeader.MaxControlPayload));
        for (int i = 0; i < WaitingClient.MaxBytes / pong.Length; i++)
            await tunnel.Client.SendAsync(pong);
        await tunnel.Client.SendAsync(tunnel.Client.Frame(Opcode.Pong, new string('x', (WaitingClient.MaxBytes % pong.Length) - 6)));
        _gate.Get<PairingWaits>().Count.ShouldBe(1, "so much it may send");

        await tunnel.Client.SendAsync(Opcode.Pong, "");

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1008 invalid handshake: too many control frames");
        await ShouldBeOverAsync(tunnel);
    }

    [Theory]
    [InlineData("approved")]
    [InlineData("rejected")]
    [InlineData("expired")]
    [InlineData("superseded")]
    public async Task Each_decision_is_told_once_and_then_the_connection_is_closed(string decision)
    {
        MemoryTunnel tunnel = await WaitAsync();
        DeviceRegistry registry = _gate.Get<DeviceRegistry>();
        PairingRequest request = (await registry.FindAsync(tunnel.Device.Id, default))!.Requests.Single();
        Operator by = Some.Operator;
        PairingRules rules = _gate.Options.PairingRules;

        switch (decision)
        {
            case "approved":
                await registry.ApproveAsync(request.Id, new GrantTerms(), by, rules, default);
                break;
            case "rejected":
                await registry.RejectAsync(request.Id, by, rules, default);
                break;
            case "expired":
                // ends as of now, which is what the record says if nobody renews it
                await WriteAsync(registry, tunnel, record => record with { Requests = [request with { ExpiresAt = _gate.Time.GetUtcNow() }] });
                break;
            default:
                await WriteAsync(registry, tunnel, record => record with { Requests = [] });
                break;
        }

        JsonElement told = JsonSerializer.Deserialize<JsonElement>((await tunnel.Client.ReceiveAsync())["Text ".Length..]);
        told.GetProperty("type").GetString().ShouldBe("event");
        told.GetProperty("event").GetString().ShouldBe("device.pair.resolved");
        JsonElement payload = told.GetProperty("payload");
        payload.EnumerateObject().Select(p => p.Name).ShouldBe(["requestId", "deviceId", "decision", "ts"]);
        payload.GetProperty("requestId").GetString().ShouldBe(request.Id.ToString());
        payload.GetProperty("deviceId").GetString().ShouldBe(tunnel.Device.Id.ToString());
        payload.GetProperty("decision").GetString().ShouldBe(decision);
        payload.GetProperty("ts").GetInt64().ShouldBe(_gate.Time.GetUtcNow().ToUnixTimeMilliseconds());
        (await tunnel.Client.ReceiveAsync()).ShouldBe($"Close 1008 pairing {decision}");
        await ShouldBeOverAsync(tunnel);
    }

    [Fact]
    public async Task A_request_that_is_renewed_by_another_connection_expires_later()
    {
        using var gate = new MemoryGate(); // its requests live for five minutes
        MemoryTunnel tunnel = await gate.ConnectAsync(Some.Origin);
        await WaitAsync(gate, tunnel);
        await PassAsync(gate, tunnel, TimeSpan.FromMinutes(4));
        gate.Get<RegistryFreshness>().Renew(); // which announcements do elsewhere
        MemoryTunnel again = await gate.ConnectAsync(Some.Origin, tunnel.Device);
        await again.ChallengeAsync();
        await again.Client.SendAsync(again.Connect());
        (await again.Client.ReceiveAsync()).ShouldContain("PAIRING_REQUIRED");
        PairingRequest renewed = (await gate.Get<DeviceRegistry>().FindAsync(tunnel.Device.Id, default))!.Requests.Single();
        renewed.ExpiresAt.ShouldBe(gate.Time.GetUtcNow() + TimeSpan.FromMinutes(5));

        await PassAsync(gate, tunnel, TimeSpan.FromMinutes(5) - Step);
        gate.Get<PairingWaits>().Count.ShouldBe(1);

        (await UntilClosedAsync(gate, tunnel)).ShouldBe("Close 1008 pairing expired");
        await tunnel.Client.CloseAsync();
        await tunnel.EndAsync();
    }

    [Fact]
    public async Task A_client_that_hangs_up_gives_its_place_back()
    {
        MemoryTunnel left = await WaitAsync();
        await left.Client.CloseAsync();
        await ShouldBeOverAsync(left);

        MemoryTunnel aborted = await WaitAsync();
        await aborted.HangUpAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(_gate.Get<PairingWaits>().Count == 0), "its place is free, though its stream says nothing of it");
        await aborted.Client.ResetAsync();
        await ShouldBeOverAsync(aborted);

        MemoryTunnel reset = await WaitAsync();
        await reset.HangUpAsync();
        await reset.Client.ResetAsync();
        await ShouldBeOverAsync(reset);
    }

    [Fact]
    public async Task A_device_that_waits_often_enough_is_refused_like_one_that_cannot_wait()
    {
        var device = new SigningDevice();
        for (int waiting = 0; waiting <= PairingWaits.MostPerDevice; waiting++)
        {
            MemoryTunnel tunnel = await _gate.ConnectAsync(Some.Origin, device);
            await tunnel.ChallengeAsync();
            await tunnel.Client.SendAsync(Waiting(tunnel));
            string answer = await tunnel.Client.ReceiveAsync();
            answer.ShouldContain("PAIRING_REQUIRED");
            answer.Contains("\"waitForResolution\":true", StringComparison.Ordinal).ShouldBe(waiting < PairingWaits.MostPerDevice);
        }

        _gate.Get<PairingWaits>().Count.ShouldBe(PairingWaits.MostPerDevice);
    }

    [Fact]
    public async Task A_waiting_client_holds_no_place_of_a_handshake_and_no_connection_to_the_backend()
    {
        MemoryTunnel tunnel = await WaitAsync();

        _gate.Get<HandshakeBudgets>().InUse.ShouldBe(0);
        tunnel.Relayed.ShouldBe("ended");
        tunnel.IsBackendClosed.ShouldBeTrue();
        (await tunnel.Backend.ReceiveAllAsync()).ShouldBeEmpty();
        await tunnel.TimeOutActivityAsync();
        _gate.Get<PairingWaits>().Count.ShouldBe(1, "the proxy has finished, and its time-out ends nothing");
    }

    private static async Task WriteAsync(DeviceRegistry registry, MemoryTunnel tunnel, Func<DeviceRecord, DeviceRecord> change) =>
        await registry.WriteAsync(
            tunnel.Device.Id, stored => new Decision(DecisionOutcome.Done, change(stored.Record!)), operation: null, Some.Operator, Some.Rules, default);

    private static string Waiting(MemoryTunnel tunnel)
    {
        JsonNode connect = JsonNode.Parse(tunnel.Connect())!;
        connect["params"]!["caps"] = new JsonArray("tool-events", "device-pairing-wait");
        return connect.ToJsonString();
    }

    private static async Task WaitAsync(MemoryGate gate, MemoryTunnel tunnel)
    {
        await tunnel.ChallengeAsync();
        await tunnel.Client.SendAsync(Waiting(tunnel));
        (await tunnel.Client.ReceiveAsync()).ShouldContain("\"waitForResolution\":true");
        await Eventually.HoldsAsync(() => Task.FromResult(tunnel.IsBackendClosed && gate.Get<PairingWaits>().Count == 1), "it waits");
    }

    /// <summary>Time passes, in which the client gives a sign of life now and then.</summary>
    private static async Task PassAsync(MemoryGate gate, MemoryTunnel tunnel, TimeSpan time)
    {
        for (TimeSpan passed = TimeSpan.Zero; passed < time; passed += Step)
        {
            await tunnel.Client.SendAsync(Opcode.Pong, "");
            await gate.AdvanceAsync(Step);
        }
    }

    /// <summary>Time passes until the client gets a frame.</summary>
    private static async Task<string> UntilReceivedAsync(MemoryGate gate, MemoryTunnel tunnel)
    {
        Task<string> frame = tunnel.Client.ReceiveAsync();
        await Eventually.HoldsAsync(
            async () =>
            {
                if (!frame.IsCompleted)
                    await gate.AdvanceAsync(TimeSpan.FromSeconds(1));
                return frame.IsCompleted;
            },
            "the client gets a frame");
        return await frame;
    }

    private static async Task<string> UntilClosedAsync(MemoryGate gate, MemoryTunnel tunnel)
    {
        string frame;
        do
            frame = await UntilReceivedAsync(gate, tunnel);
        while (!frame.StartsWith("Close", StringComparison.Ordinal));
        return frame;
    }

    private async Task<MemoryTunnel> WaitAsync()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync(Some.Origin);
        await WaitAsync(_gate, tunnel);
        return tunnel;
    }

    private async Task ShouldBeOverAsync(MemoryTunnel tunnel)
    {
        await tunnel.Client.CloseAsync();
        await tunnel.EndAsync();
        _gate.Get<PairingWaits>().Count.ShouldBe(0);
    }
}
