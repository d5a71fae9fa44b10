using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A removed device is out: now, wherever in its life the connection is, and for good.</summary>
public sealed class RevocationTests
{
    private const int MessageSize = 1024 * 1024;
    private const string SentAfter = "sent after it"; // with blanks, which the random keys and signatures of a connect request have not
    private readonly TestDevice _device = new();

    [Fact]
    public async Task An_idle_session_is_closed_and_the_backend_sees_a_client_that_closed()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        Outcome outcome = await TestClient.ConnectAsync(gateway.Port, _device);
        outcome.ShouldBeAdmitted();
        FrameConnection backend = await gateway.Backend.AcceptAsync();

        (await gateway.RemoveAsync(_device)).ShouldBeTrue();

        Frame close = await outcome.Client.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1008, "device removed"));
        await outcome.Client.SendAsync(Opcode.Close, close.Payload);
        (await outcome.Client.ReceiveToEndAsync()).ShouldBeEmpty();
        await ShouldEndWithAClosingClientAsync(backend);
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Sessions.Count == 0), "the session has left the table");
    }

    [Fact]
    public async Task A_session_in_the_middle_of_a_stream_of_large_messages_is_closed_between_two_frames()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        byte[] message = new byte[MessageSize];
        Random.Shared.NextBytes(message);
        gateway.Backend.Script = async client =>
        {
            await client.SendTextAsync(Protocol.Challenge("a-nonce"));
            Frame connect = (await client.ReceiveAsync())!;
            await client.SendTextAsync(Protocol.HelloOk(connect.Json.GetProperty("id").GetString()!));
            Task reading = client.ReceiveToEndAsync();
            while (!reading.IsCompleted)
            {
                await client.SendAsync(Opcode.Binary, message);
            }
        };
        Outcome outcome = await TestClient.ConnectAsync(gateway.Port, _device);
        outcome.ShouldBeAdmitted();
        (await outcome.Client.ReceiveAsync())!.Payload.Length.ShouldBe(MessageSize);
        FrameConnection backend = await gateway.Backend.AcceptAsync();

        (await gateway.RemoveAsync(_device)).ShouldBeTrue();

        Frame? close = null;
        while (await outcome.Client.ReceiveAsync() is { } frame)
        {
            if (frame.Opcode == Opcode.Close)
            {
                close = frame;
                break;
            }

            frame.Payload.AsSpan().SequenceEqual(message).ShouldBeTrue("Every message is whole."); // ShouldBe would take longer than the grace period
        }

        close.ShouldNotBeNull();
        (close.CloseCode, close.CloseReason).ShouldBe((1008, "device removed"));
        await outcome.Client.SendAsync(Opcode.Close, close.Payload);
        (await outcome.Client.ReceiveToEndAsync()).ShouldBeEmpty();
        await ShouldEndWithAClosingClientAsync(backend);
    }

    [Fact]
    public async Task Not_a_byte_of_a_removed_device_reaches_the_backend_although_it_does_not_read()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        Outcome outcome = await TestClient.ConnectAsync(gateway.Port, _device);
        outcome.ShouldBeAdmitted();
        FrameConnection backend = await gateway.Backend.AcceptAsync();
        await outcome.Client.SendTextAsync("before");
        (await outcome.Client.ReceiveAsync())!.Text.ShouldBe("before");

        (await gateway.RemoveAsync(_device)).ShouldBeTrue();
        await IgnoringResetsAsync(() => outcome.Client.SendTextAsync(SentAfter));

        await ShouldEndWithAClosingClientAsync(backend);
        (await outcome.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("device removed");
    }

    [Fact]
    public async Task A_client_that_does_not_take_its_close_frame_is_aborted()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Backend.Script = async client =>
        {
            await client.SendTextAsync(Protocol.Challenge("a-nonce"));
            Frame connect = (await client.ReceiveAsync())!;
            await client.SendTextAsync(Protocol.HelloOk(connect.Json.GetProperty("id").GetString()!));
            while (true)
            {
                await client.SendAsync(Opcode.Binary, new byte[MessageSize]);
            }
        };
        Outcome outcome = await TestClient.ConnectAsync(gateway.Port, _device);
        outcome.ShouldBeAdmitted(); // and never reads again

        (await gateway.RemoveAsync(_device)).ShouldBeTrue();

        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Sessions.Count == 0), "the session has ended", TimeSpan.FromSeconds(15));
    }

    [Fact]
    public async Task A_removed_device_is_not_paired_silently_again()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldBeAdmitted();
        (await gateway.RemoveAsync(_device)).ShouldBeTrue();

        Outcome again = await TestClient.ConnectAsync(gateway.Port, _device);

        again.ShouldRequirePairing("not-paired");
        again.Details.TryGetProperty("approvedRoles", out _).ShouldBeFalse();
        (await gateway.ApproveAsync(again.RequestId)).ShouldNotBeNull();
        (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldBeAdmitted();
        (await TestClient.ConnectAsync(gateway.Port, _device, new Ask { Scopes = ["operator.write"] })).ShouldBeAdmitted(); // the mark is gone
    }

    [Fact]
    public async Task A_removal_between_the_decision_and_hello_ok_closes_the_session()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        var removed = new TaskCompletionSource();
        var asked = new TaskCompletionSource();
        gateway.Backend.Script = async client =>
        {
            await client.SendTextAsync(Protocol.Challenge("a-nonce"));
            Frame connect = (await client.ReceiveAsync())!;
            asked.SetResult();
            await removed.Task;
            await client.SendTextAsync(Protocol.HelloOk(connect.Json.GetProperty("id").GetString()!));
            await client.ReceiveToEndAsync();
        };
        FrameConnection connection = await TestClient.AskAsync(gateway.Port, _device);
        await connection.SendTextAsync("held until hello-ok");
        await asked.Task;

        (await gateway.RemoveAsync(_device)).ShouldBeTrue();
        removed.SetResult();

        Frame close = await connection.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1008, "device removed"));
        FrameConnection backend = await gateway.Backend.AcceptAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Sessions.Count == 0), "the session has ended");
        (await backend.ReceivedTextAsync()).ShouldNotContain("held until hello-ok");
    }

    [Fact]
    public async Task A_removal_before_hello_ok_does_not_wait_for_the_backend()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:HandshakeTimeout"] = "00:05:00" }); // which is not what ends it
        gateway.Backend.Script = TestBackend.ChallengeAsync;
        Encounter encounter = await Encounter.AskAsync(gateway, _device);
        await OneConnectTests.ReceiveConnectAsync(encounter.Backend);

        (await gateway.RemoveAsync(_device)).ShouldBeTrue();

        (await encounter.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("device removed");
        (await encounter.Backend.ReceiveAsync()).ShouldNotBeNull().Opcode.ShouldBe(Opcode.Close);
        encounter.Backend.Complete();
        await encounter.DisposeAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Sessions.Count == 0 && gateway.Budgets.InUse == 0), "the session has ended");
    }

    [Fact]
    public async Task A_removal_between_reading_the_record_and_admitting_is_not_missed()
    {
        string folder = Directory.CreateTempSubdirectory("gate-").FullName;
        var store = new PausingStore(SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path.Combine(folder, "registry.db") }, TimeProvider.System));
        await using TestGateway gateway = await TestGateway.StartAsync(services: s => s.AddSingleton<IDeviceStore>(store));
        (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldBeAdmitted();

        store.PauseAfterNextRead();
        FrameConnection connection = await TestClient.AskAsync(gateway.Port, _device);
        await store.Paused;
        (await gateway.RemoveAsync(_device)).ShouldBeTrue();
        store.Continue();

        (await TestClient.OutcomeAsync(connection)).ShouldRequirePairing("not-paired");
    }

    [Fact]
    public Task A_removal_between_the_decision_and_the_forwarding_refuses_the_device() => ShouldBeAnsweredAsync(
        gateway => gateway.RemoveAsync(_device).GetAwaiter().GetResult().ShouldBeTrue(), 1008, "device removed", "NOT_PAIRED");

    [Fact]
    public Task A_registry_that_becomes_stale_between_the_decision_and_the_forwarding_costs_no_device_its_pairing() => ShouldBeAnsweredAsync(
        gateway => gateway.Sessions.CloseAll(Closing.RegistryUnavailable), 1013, "registry unavailable", "UNAVAILABLE");

    [Fact]
    public async Task A_narrowed_grant_closes_the_sessions_that_it_no_longer_covers_and_no_others()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        Outcome reading = await TestClient.ConnectAsync(gateway.Port, _device, new Ask { Scopes = ["operator.read"] });
        Outcome writing = await TestClient.ConnectAsync(gateway.Port, _device, new Ask { Scopes = ["operator.write"] });
        reading.ShouldBeAdmitted();
        writing.ShouldBeAdmitted();

        (await gateway.NarrowAsync(_device, "operator", "operator.read")).ShouldBeTrue();

        (await writing.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("grant revoked");
        await reading.Client.SendTextAsync("still here");
        (await reading.Client.ReceiveAsync())!.Text.ShouldBe("still here");
    }

    [Fact]
    public async Task A_backend_that_dies_in_the_middle_of_a_frame_ends_the_session()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Backend.Script = async client =>
        {
            await client.SendTextAsync(Protocol.Challenge("a-nonce"));
            await client.SendTextAsync(Protocol.HelloOk((await client.ReceiveJsonAsync()).GetProperty("id").GetString()!));
            await client.SendRawAsync(FrameConnection.Encode(Opcode.Text, "{}"u8, masked: false)[..3]);
        };
        FrameConnection connection = await TestClient.AskAsync(gateway.Port, _device);

        long started = Stopwatch.GetTimestamp();
        await connection.ReceiveToEndAsync();

        Stopwatch.GetElapsedTime(started).ShouldBeLessThan(TimeSpan.FromSeconds(4), "no close frame fits into a frame, so no answer to one is waited for");
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 0), "the place is free");
    }

    // What may be the backend's refusal is held until it can be read, so a close frame still fits.
    [Fact]
    public async Task A_backend_that_dies_in_the_middle_of_its_answer_ends_the_handshake_with_a_reason()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        gateway.Backend.Script = async client =>
        {
            await client.SendTextAsync(Protocol.Challenge("a-nonce"));
            await client.ReceiveAsync();
            await client.SendRawAsync(FrameConnection.Encode(Opcode.Text, "{}"u8, masked: false)[..3]);
        };
        FrameConnection connection = await TestClient.AskAsync(gateway.Port, _device);

        Frame close = await connection.ReceiveCloseAsync();

        (close.CloseCode, close.CloseReason).ShouldBe((1011, "backend handshake failed"));
        await connection.CloseAsync(1011);
        (await connection.ReceiveAsync()).ShouldBeNull();
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 0), "the place is free");
    }

    [Fact]
    public async Task A_stopping_gateway_closes_sessions_with_gateway_restarting()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        Outcome outcome = await TestClient.ConnectAsync(gateway.Port, _device);
        outcome.ShouldBeAdmitted();

        Task stopping = gateway.StopAsync();

        Frame close = await outcome.Client.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1012, "gateway restarting"));
        await outcome.Client.SendAsync(Opcode.Close, close.Payload);
        await stopping;
    }

    [Fact]
    public async Task The_number_of_sessions_of_a_device_is_bounded()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:Limits:SessionsPerDevice"] = "2" });
        Outcome first = await TestClient.ConnectAsync(gateway.Port, _device);
        Outcome second = await TestClient.ConnectAsync(gateway.Port, _device);
        second.ShouldBeAdmitted();

        (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldBeClosed(1013, "try again later");

        await first.Client.DisposeAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Sessions.Count == 1), "the first session has ended");
        (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldBeAdmitted();
        await second.Client.DisposeAsync(); // and not by the garbage collector, before that
    }

    /// <summary>Something closes the session after the device was admitted and before its request is forwarded.</summary>
    private async Task ShouldBeAnsweredAsync(Action<TestGateway> close, int code, string reason, string error)
    {
        using var admitted = new OnAdmission();
        string folder = Directory.CreateTempSubdirectory("gate-").FullName;
        await using TestGateway gateway = await TestGateway.StartAsync(services: s => s
            .AddSqliteDeviceStore(new SqliteStoreOptions { Path = Path.Combine(folder, "registry.db") })
            .AddSingleton<ILoggerProvider>(admitted));
        admitted.Action = () => close(gateway);

        Encounter encounter = await Encounter.AskAsync(gateway, _device);

        JsonElement? answer = await encounter.ShouldBeClosedAsync(code, reason);
        answer.ShouldNotBeNull();
        answer.Value.GetProperty("id").GetString().ShouldBe("connect-1");
        answer.Value.GetProperty("error").GetProperty("message").GetString().ShouldBe(reason);
        answer.Value.GetProperty("error").GetProperty("code").GetString().ShouldBe(error);
    }

    private static async Task ShouldEndWithAClosingClientAsync(FrameConnection backend)
    {
        // The backend's own script reads; what it read is kept.
        await backend.Completion;
        byte[] received = backend.Received.ToArray();
        byte[] close = received[^8..];
        (close[0], close[1]).ShouldBe(((byte)0x88, (byte)0x82), "The last frame is a masked close of two bytes.");
        (((close[6] ^ close[2]) << 8) | (close[7] ^ close[3])).ShouldBe(1000);
        (await backend.ReceivedTextAsync()).ShouldNotContain(SentAfter);
    }

    private static async Task IgnoringResetsAsync(Func<Task> send)
    {
        try
        {
            await send();
        }
        catch (IOException)
        {
            // The gate was faster.
        }
    }

    /// <summary>Does something right after a session was admitted, before anything is forwarded.</summary>
    private sealed class OnAdmission : ILoggerProvider, ILogger
    {
        public Action? Action { get; set; }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Id == 1001)
                Action?.Invoke();
        }

        public void Dispose()
        {
        }
    }
}
