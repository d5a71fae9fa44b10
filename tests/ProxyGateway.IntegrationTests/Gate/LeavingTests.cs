using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>
/// Somebody leaves, at each step of a handshake and in each way. The other side is told or let go, nothing is held, and neither the gate nor the proxy
/// takes it for a fault.
/// </summary>
public sealed class LeavingTests : IDisposable
{
    private static readonly byte[] Challenge = FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(Protocol.Challenge("a-nonce")), masked: false);
    private static readonly byte[] Hello = FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(Protocol.HelloOk("connect-1")), masked: false);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gate-");
    private readonly byte[] _request = FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(new Ask().SignedBy(new TestDevice())), masked: true);

    /// <summary>How far the handshake has come.</summary>
    public enum Step
    {
        BeforeTheChallenge,
        InTheChallenge,
        AfterTheChallenge,
        WhileTheBackendIsWatched,
        InTheRequest,
        InTheDecision,
        BeforeTheAnswer,
        InTheAnswer,
    }

    public enum Way
    {
        Ends,
        Resets,
        Closes,
    }

    public static TheoryData<Step, Way> Steps
    {
        get
        {
            var steps = new TheoryData<Step, Way>();
            foreach (Step step in Enum.GetValues<Step>())
            {
                steps.Add(step, Way.Ends);
                steps.Add(step, Way.Resets);
                if (step is not (Step.InTheChallenge or Step.InTheRequest or Step.InTheAnswer)) // where a close frame has no place
                    steps.Add(step, Way.Closes);
            }

            return steps;
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task A_client_that_leaves_ends_the_handshake_for_the_backend(Step step, Way way)
    {
        PausingStore store = OpenStore();
        await using TestGateway gateway = await StartAsync(store);
        (FrameConnection client, Socket socket, FrameConnection backend) = await ComeToAsync(step, gateway, store);

        switch (way)
        {
            case Way.Ends:
                socket.Shutdown(SocketShutdown.Send);
                break;
            case Way.Resets:
                socket.Close(0);
                break;
            case Way.Closes:
                await client.CloseAsync(1001);
                socket.Shutdown(SocketShutdown.Send);
                break;
        }

        await backend.ReceiveToEndAsync();
        backend.Complete();
        bool isForwarded = step >= Step.BeforeTheAnswer;
        (await backend.ReceivedFramesAsync()).Count(f => f.Opcode == Opcode.Text).ShouldBe(isForwarded ? 1 : 0);
        await ShouldBeQuietAsync(gateway);
        await client.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task A_backend_that_leaves_ends_the_handshake_for_the_client(Step step, Way way)
    {
        PausingStore store = OpenStore();
        await using TestGateway gateway = await StartAsync(store);
        (FrameConnection client, _, FrameConnection backend) = await ComeToAsync(step, gateway, store);

        switch (way)
        {
            case Way.Resets:
                backend.Request!.Abort();
                break;
            case Way.Closes:
                await backend.CloseAsync(1001);
                break;
        }

        backend.Complete(); // its script is over, and so is the connection
        if (step == Step.InTheDecision)
            store.Continue();

        if (step != Step.InTheAnswer) // where a close frame has no place
        {
            // In its own words, if it has any that a client may hear.
            int code = way == Way.Closes && step > Step.BeforeTheChallenge ? 1001 : 1011;
            (await client.ReceiveCloseAsync()).CloseCode.ShouldBe(code);
            await client.CloseAsync();
        }

        (await client.ReceiveToEndAsync()).ShouldBeEmpty();
        await ShouldBeQuietAsync(gateway);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task Frames_that_arrive_byte_by_byte_are_relayed_unchanged()
    {
        PausingStore store = OpenStore();
        await using TestGateway gateway = await StartAsync(store);
        FrameConnection client = await TestClient.OpenAsync(gateway.Port);
        FrameConnection backend = await gateway.Backend.AcceptAsync();
        byte[] ping = FrameConnection.Encode(Opcode.Ping, "there?"u8, masked: false);

        await DripAsync(backend, [.. ping, .. Challenge]);
        (await client.ReceiveAsync()).ShouldNotBeNull().Opcode.ShouldBe(Opcode.Ping);
        await client.ReceiveJsonAsync();
        await backend.SendRawAsync(ping);
        (await client.ReceiveAsync()).ShouldNotBeNull().Text.ShouldBe("there?"); // so the backend is listened to
        await DripAsync(backend, ping);
        (await client.ReceiveAsync()).ShouldNotBeNull().Text.ShouldBe("there?");
        byte[] pong = FrameConnection.Encode(Opcode.Pong, "there?"u8, masked: true);
        await DripAsync(client, [.. pong, .. _request, .. pong]);
        (await backend.ReceiveAsync()).ShouldNotBeNull().Opcode.ShouldBe(Opcode.Pong);
        await OneConnectTests.ReceiveConnectAsync(backend);
        await DripAsync(backend, [.. ping, .. Hello, .. ping]);

        (await backend.ReceiveAsync()).ShouldNotBeNull().Text.ShouldBe("there?");
        byte[] expected = [.. ping, .. Challenge, .. ping, .. ping, .. ping, .. Hello, .. ping];
        while (client.Received.Length < expected.Length)
            await client.ReceiveAsync();
        client.Received.ToArray().ShouldBe(expected);
        backend.Complete();
        await client.DisposeAsync();
        await ShouldBeQuietAsync(gateway);
    }

    private static async Task DripAsync(FrameConnection side, byte[] bytes)
    {
        foreach (byte b in bytes)
            await side.SendRawAsync([b]);
    }

    private PausingStore OpenStore() =>
        new(SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path.Combine(_folder.FullName, "registry.db") }, TimeProvider.System));

    private static async Task<TestGateway> StartAsync(PausingStore store)
    {
        TestGateway gateway = await TestGateway.StartAsync(SharedGateway.Generous, services: s => s.AddSingleton<IDeviceStore>(store));
        gateway.Backend.Script = backend => backend.Completion;
        return gateway;
    }

    private async Task<(FrameConnection Client, Socket Socket, FrameConnection Backend)> ComeToAsync(Step step, TestGateway gateway, PausingStore store)
    {
        (int status, string head, Stream stream) = await TestClient.RequestAsync(gateway.Port);
        status.ShouldBe(101, head);
        var client = new FrameConnection(stream, masks: true);
        FrameConnection backend = await gateway.Backend.AcceptAsync();
        if (step != Step.BeforeTheChallenge)
            await backend.SendRawAsync(step == Step.InTheChallenge ? Challenge[..20] : Challenge);
        if (step > Step.InTheChallenge)
            (await client.ReceiveJsonAsync()).GetProperty("event").GetString().ShouldBe("connect.challenge");
        if (step == Step.WhileTheBackendIsWatched)
        {
            await backend.SendAsync(Opcode.Ping, []);
            (await client.ReceiveAsync()).ShouldNotBeNull().Opcode.ShouldBe(Opcode.Ping);
        }

        if (step == Step.InTheDecision)
            store.PauseAfterNextRead();
        if (step >= Step.InTheRequest)
            await client.SendRawAsync(step == Step.InTheRequest ? _request[..40] : _request);
        if (step == Step.InTheDecision)
            await store.Paused;
        if (step >= Step.BeforeTheAnswer)
            await OneConnectTests.ReceiveConnectAsync(backend);
        if (step == Step.InTheAnswer)
        {
            await backend.SendRawAsync(Hello[..50]);
            await Eventually.HoldsAsync(
                async () =>
                {
                    byte[] one = new byte[1];
                    return await stream.ReadAsync(one) == 1;
                },
                "the answer is under way");
        }

        return (client, ((NetworkStream)stream).Socket, backend);
    }

    /// <summary>Nothing is held, and nothing was found worth a complaint but that a backend left.</summary>
    private static async Task ShouldBeQuietAsync(TestGateway gateway)
    {
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 0 && gateway.Sessions.Count == 0), "no place and no session is held");
        gateway.Log.Lines.Where(l => l.Level >= LogLevel.Error).ShouldBeEmpty();
        gateway.Log.Lines.Where(l => l.Level >= LogLevel.Warning && l.Id.Id is not (1102 or 1104)).ShouldBeEmpty();
    }
}
