using System.Text;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>
/// What a backend hears of clients that are not let in: of most not one frame. The clock stands still, so whatever ends here does so by
/// itself, and no time-out has helped.
/// </summary>
public sealed class UnheardTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private TestGateway _gateway = null!;

    public async Task InitializeAsync() => _gateway = await TestGateway.StartAsync(SharedGateway.Generous, time: _time);

    public async Task DisposeAsync() => await _gateway.DisposeAsync();

    [Theory]
    [InlineData("malformed", "invalid handshake")]
    [InlineData("forged", "device signature invalid")]
    [InlineData("unknown", "pairing required")]
    public async Task The_backend_gets_no_message_of_a_refused_client(string what, string reason)
    {
        // From the network, where nothing is approved silently.
        await using Encounter encounter = await Encounter.OpenAsync(_gateway, _gateway.RemotePort);
        string asked = new Ask().SignedBy(new TestDevice());
        await encounter.Client.SendTextAsync(what switch
        {
            "forged" => asked.Replace("\"operator.read\"", "\"operator.admin\"", StringComparison.Ordinal),
            "unknown" => asked,
            _ => "{",
        });

        Frame close = await encounter.Client.ReceiveCloseAsync();

        close.CloseCode.ShouldBe(1008);
        close.CloseReason.ShouldStartWith(reason);
        await ShouldHaveHeardNothingAsync(encounter.Backend);
    }

    [Fact]
    public async Task A_backend_that_sends_early_does_not_keep_a_client_that_has_left()
    {
        _gateway.Backend.Script = async backend =>
        {
            byte[] challenge = FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(Protocol.Challenge("a-nonce")), masked: false);
            await backend.SendRawAsync([.. challenge, .. FrameConnection.Encode(Opcode.Text, "{}"u8, masked: false)]);
            await backend.ReceiveToEndAsync();
        };
        await using Encounter encounter = await Encounter.OpenAsync(_gateway);

        await encounter.Client.DisposeAsync();

        await ShouldHaveHeardNothingAsync(encounter.Backend);
    }

    [Fact]
    public async Task The_backend_gets_no_message_of_a_client_that_disconnects()
    {
        await using Encounter encounter = await Encounter.OpenAsync(_gateway);

        await encounter.Client.DisposeAsync();

        await ShouldHaveHeardNothingAsync(encounter.Backend);
    }

    [Fact]
    public async Task A_client_that_closes_gets_the_backends_close_frame()
    {
        await using Encounter encounter = await Encounter.OpenAsync(_gateway);

        await encounter.Client.CloseAsync(1001);

        (await encounter.Client.ReceiveCloseAsync()).CloseCode.ShouldBe(1001);
        await encounter.Backend.Completion;
        (await encounter.Backend.ReceivedFramesAsync()).ShouldHaveSingleItem().Opcode.ShouldBe(Opcode.Close);
    }

    [Fact]
    public async Task A_ping_is_answered_before_the_decision()
    {
        _gateway.Backend.Script = TestBackend.ChallengeAsync;
        await using Encounter encounter = await Encounter.OpenAsync(_gateway);

        await encounter.Client.SendAsync(Opcode.Ping, "early"u8.ToArray());

        (await encounter.Backend.ReceiveAsync()).ShouldNotBeNull().Opcode.ShouldBe(Opcode.Ping);
        await encounter.Backend.SendAsync(Opcode.Pong, "early"u8.ToArray());
        (await encounter.Client.ReceiveAsync()).ShouldNotBeNull().Opcode.ShouldBe(Opcode.Pong);
        encounter.Backend.Complete();
    }

    [Fact]
    public async Task A_frame_of_the_backend_after_its_challenge_is_relayed_after_250_ms()
    {
        _gateway.Backend.Script = TestBackend.ChallengeAsync;
        await using Encounter encounter = await Encounter.OpenAsync(_gateway);
        await encounter.Backend.SendAsync(Opcode.Ping, "there?"u8.ToArray());
        Task<Frame?> next = encounter.Client.ReceiveAsync();

        // The wait may begin only after the clock was moved.
        await Eventually.HoldsAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(250));
                return Task.FromResult(next.IsCompleted);
            },
            "the backend is heard");

        (await next).ShouldNotBeNull().Text.ShouldBe("there?");
        encounter.Backend.Complete();
    }

    private static async Task ShouldHaveHeardNothingAsync(FrameConnection backend)
    {
        await backend.Completion;
        (await backend.ReceivedFramesAsync()).ShouldBeEmpty();
    }
}
