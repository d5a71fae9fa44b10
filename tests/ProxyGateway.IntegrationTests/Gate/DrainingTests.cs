using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A gateway that stops: it says so to everybody, and not to all at once.</summary>
public sealed class DrainingTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly TestDevice _device = new();
    private int _echoes;

    [Fact]
    public async Task Sessions_are_closed_one_after_the_other_and_upgrades_are_refused()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:DrainTime"] = "00:00:08" }, time: _time);
        var sessions = new FrameConnection[4];
        for (int i = 0; i < sessions.Length; i++)
        {
            Outcome outcome = await TestClient.ConnectAsync(gateway.Port, _device, new Ask { SignedAt = _time.GetUtcNow() });
            outcome.ShouldBeAdmitted();
            await gateway.Backend.AcceptAsync();
            sessions[i] = outcome.Client;
        }

        Task stopping = gateway.StopAsync();

        await ShouldBeToldAsync(sessions[0]);
        (int status, string head, Stream stream) = await TestClient.RequestAsync(gateway.Port);
        await stream.DisposeAsync();
        status.ShouldBe(503);
        head.ShouldContain("\r\nRetry-After: 1\r\n");
        head.ShouldContain("\r\nConnection: close\r\n");

        for (int i = 1; i < sessions.Length; i++)
        {
            Task told = ShouldBeToldAsync(sessions[i]);
            await sessions[i].SendTextAsync($"still {i}"); // one that is not told yet relays as ever: its echo comes before the close frame
            await Eventually.HoldsAsync(() => Task.FromResult(_echoes == i), "the echo comes back");
            told.IsCompleted.ShouldBeFalse();
            gateway.Sessions.List(device: null, after: 0, 10).Length.ShouldBe(sessions.Length - i);
            _time.Advance(TimeSpan.FromSeconds(2));
            await told;
        }

        await stopping;
    }

    [Fact]
    public async Task Running_handshakes_get_gateway_restarting()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:HandshakeTimeout"] = "00:05:00" }); // which is not what ends them
        Encounter silent = await Encounter.OpenAsync(gateway);
        gateway.Backend.Script = backend => backend.ReceiveAsync();
        await using FrameConnection unchallenged = await TestClient.OpenAsync(gateway.Port);
        await gateway.Backend.AcceptAsync();

        Task stopping = gateway.StopAsync();

        await silent.ShouldBeClosedAsync(1012, "gateway restarting");
        (await unchallenged.ReceiveCloseAsync()).CloseCode.ShouldBe(1012);
        await unchallenged.DisposeAsync();
        await stopping;
    }

    [Fact]
    public async Task A_client_that_does_not_take_its_close_frame_is_aborted()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:DrainTime"] = "00:00:00" });
        gateway.Backend.Script = async backend =>
        {
            await backend.SendTextAsync(Protocol.Challenge("a-nonce"));
            await backend.ReceiveAsync();
            await backend.SendTextAsync(Protocol.HelloOk("connect-1"));
            byte[] message = new byte[1 << 20];
            while (true)
                await backend.SendAsync(Opcode.Binary, message);
        };
        Outcome deaf = await TestClient.ConnectAsync(gateway.Port, _device);
        deaf.ShouldBeAdmitted();
        await gateway.Backend.AcceptAsync();

        await gateway.StopAsync().WaitAsync(TimeSpan.FromSeconds(20)); // five for the client; the server itself would wait for thirty

        gateway.Sessions.Count.ShouldBe(0);
    }

    private async Task ShouldBeToldAsync(FrameConnection session)
    {
        Frame? frame = await session.ReceiveAsync();
        while (frame is { Opcode: Opcode.Text })
        {
            Interlocked.Increment(ref _echoes);
            frame = await session.ReceiveAsync();
        }

        (frame!.CloseCode, frame.CloseReason).ShouldBe((1012, "gateway restarting"));
        await session.SendAsync(Opcode.Close, frame.Payload);
    }
}
