using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.IntegrationTests.Gate;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Fuzzing;

/// <summary>
/// The whole gate under mutated handshakes: recorded ones, changed in their JSON, frames, HTTP or on the backend's side.
/// <c>PROXYGATEWAY_TEST_FUZZ_SECONDS</c> says for how long (at most an hour: signatures are that old then), <c>PROXYGATEWAY_TEST_SEED</c> with what seed; a
/// failure names seed and index, and <c>PROXYGATEWAY_TEST_FUZZ_INDEX</c> plays that one input alone.
/// </summary>
[Collection(nameof(AloneCollection))]
public sealed class GateFuzzTests(ITestOutputHelper output)
{
    private const int AtOnce = 16;
    private const long MemoryMargin = 24 << 20;

    private static readonly int Seconds = Setting.Number("PROXYGATEWAY_TEST_FUZZ_SECONDS") ?? 60;
    private static readonly int Seed = Setting.Number("PROXYGATEWAY_TEST_SEED") ?? 1;

    private readonly RecordedHandshakes _recorded = new();
    private readonly ConcurrentDictionary<int, FuzzInput> _inputs = new();
    private readonly ConcurrentDictionary<int, byte[]> _reached = new();
    private readonly ConcurrentDictionary<int, TaskCompletionSource> _backends = new();
    private readonly ConcurrentQueue<string> _faults = [];
    private readonly ConcurrentQueue<Exception> _thrown = [];
    private Evidence _evidence = null!;
    private int _played;
    private int _admitted;
    private int _upgraded;

    [Fact]
    public async Task Only_proved_and_covered_requests_reach_the_backend()
    {
        await using TestGateway gateway = await StartAsync();
        _evidence = new Evidence(new Dictionary<(string, string), string[]> { [(_recorded.Paired.Id.ToString(), "operator")] = ["operator.read"] });

        if (Setting.Number("PROXYGATEWAY_TEST_FUZZ_INDEX") is { } only)
        {
            await PlayAsync(gateway, only);
        }
        else
        {
            await PlayManyAsync(gateway, from: 0, TimeSpan.FromSeconds(Math.Min(3, Seconds)));
            long before = await SettleAsync(gateway);
            await PlayManyAsync(gateway, from: _played, TimeSpan.FromSeconds(Math.Max(1, Seconds - 3)));
            long after = await SettleAsync(gateway);
            output.WriteLine(
                $"seed {Seed}: {_played} inputs, {_upgraded} upgraded, {_admitted} admitted; {before / 1048576.0:N1} MiB before, {after / 1048576.0:N1} MiB after");
            after.ShouldBeLessThan(before + MemoryMargin, "memory comes back to its level");
            _admitted.ShouldBeGreaterThan(_played / 100, "the fuzzer reaches what lies behind the gate");
            (_played - _admitted).ShouldBeGreaterThan(_played / 3, "and what is to stay before it");
        }

        await SettleAsync(gateway);
        _faults.ShouldBeEmpty();
        _thrown.ShouldBeEmpty("nothing is thrown out of the pipeline");
        (await gateway.FindAsync(_recorded.Stranger))?.IsPaired.ShouldNotBe(true);
        (await gateway.FindAsync(_recorded.Paired))!.Grants.Keys.Names().ShouldBe(["operator"]);
    }

    private async Task<TestGateway> StartAsync()
    {
        TestGateway gateway = await TestGateway.StartAsync(
            new(SharedGateway.Generous)
            {
                ["DeviceAuth:Pairing:AutoApprove:loopback:Enabled"] = "false",
                ["DeviceAuth:Pairing:MaxPendingRequests"] = "1000000",
                ["DeviceAuth:Limits:PendingRequestsPerAddress"] = "1000000",
                ["DeviceAuth:Limits:SessionsPerDevice"] = "1000",
                ["DeviceAuth:HandshakeTimeout"] = "00:00:01",
                ["DeviceAuth:SignatureSkew"] = "01:00:00",
            },
            kestrel: options => options.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(2), // a request that mutation has left unfinished is not waited for
            time: new ShiftedTime(RecordedHandshakes.Time),
            before: app => app.Use(async (context, next) =>
            {
                try
                {
                    await next(context);
                }
                catch (Exception e)
                {
                    _thrown.Enqueue(e);
                    throw;
                }
            }));
        gateway.Backend.Raw = AnswerAsync;
        var claim = new DeviceClaim(_recorded.Paired.Id, _recorded.Paired.PublicKey, "operator", ScopeSet.Of(["operator.read"]), ClientDescription.Sanitize(null, null, null, null));
        await gateway.Registry.AdmitAsync(claim, Some.Origin, gateway.Rules, default);
        PairingRequest request = (await gateway.Registry.ListOpenRequestsAsync(cursor: null, 1, default)).Items.Single();
        await gateway.ApproveAsync(request.Id.ToString());
        return gateway;
    }

    private async Task PlayManyAsync(TestGateway gateway, int from, TimeSpan duration)
    {
        int next = from - 1;
        long started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < duration && _faults.IsEmpty)
                await PlayAsync(gateway, Interlocked.Increment(ref next));
        })));
    }

    private async Task PlayAsync(TestGateway gateway, int index)
    {
        var input = new FuzzInput(_recorded, Seed, index);
        _inputs[index] = input;
        byte[] received = await SpeakAsync(gateway.RemotePort, input);
        Interlocked.Increment(ref _played);
        if (_backends.TryRemove(index, out TaskCompletionSource? backend))
            await backend.Task.WaitAsync(Eventually.Patience);
        if (_reached.TryGetValue(index, out byte[]? reached))
            Judge(input, reached, received);
        _inputs.TryRemove(index, out _);
        _reached.TryRemove(index, out _);
    }

    private void Judge(FuzzInput input, byte[] reached, byte[] received)
    {
        Interlocked.Increment(ref _upgraded);
        byte[][] data = [.. RawFrames.In(reached).Where(f => f.Opcode < Opcode.Close).Select(f => f.Payload)];
        bool hearsSecret = Encoding.UTF8.GetString(received).Contains(FuzzInput.Secret, StringComparison.Ordinal);
        if (data.Length == 0)
        {
            if (hearsSecret && !input.BackendIsHostile)
                Fault(input, "a client that was not admitted has heard the backend");
            return;
        }

        Interlocked.Increment(ref _admitted);
        if (RawFrames.FirstMessage(reached) is not { } message)
            Fault(input, "half a message has reached the backend");
        else if (!input.BackendIsHostile && _evidence.Against(message) is { } problem)
            Fault(input, problem);

        // Control frames may overtake the request, which is held. What the gate adds is at most a close frame of its own at the end.
        (Opcode Opcode, bool IsFinal, string Payload)[] there = Comparable(reached);
        (Opcode Opcode, bool IsFinal, string Payload)[] sent = Comparable(input.Frames);
        if (there is [.., { Opcode: Opcode.Close }] && !sent.Contains(there[^1]))
            there = there[..^1];
        if (!StartsWith(sent, there, f => f.Opcode < Opcode.Close) || !StartsWith(sent, there, f => f.Opcode >= Opcode.Close))
            Fault(input, $"the backend got something else than the client has sent: {Convert.ToHexString(reached)}");
    }

    private static (Opcode Opcode, bool IsFinal, string Payload)[] Comparable(byte[] bytes) =>
        [.. RawFrames.In(bytes).Select(f => (f.Opcode, f.IsFinal, Convert.ToHexString(f.Payload)))];

    private static bool StartsWith(
        (Opcode Opcode, bool IsFinal, string Payload)[] sent,
        (Opcode Opcode, bool IsFinal, string Payload)[] there,
        Func<(Opcode Opcode, bool IsFinal, string Payload), bool> which) =>
        sent.Where(which).Take(there.Count(which)).SequenceEqual(there.Where(which));

    private void Fault(FuzzInput input, string what) => _faults.Enqueue(
        $"PROXYGATEWAY_TEST_SEED={Seed} PROXYGATEWAY_TEST_FUZZ_INDEX={input.Index}: {what}\n{input}");

    private static async Task<byte[]> SpeakAsync(int port, FuzzInput input)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using var patience = new CancellationTokenSource(Eventually.Patience);
        using var received = new MemoryStream();
        byte[] buffer = new byte[4096];
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port);
            await socket.SendAsync(input.Request, patience.Token);
            while (!Encoding.ASCII.GetString(received.ToArray()).Contains("\r\n\r\n", StringComparison.Ordinal))
            {
                if (received.Length == 0 && !Encoding.ASCII.GetString(input.Request).Contains("\r\n\r\n", StringComparison.Ordinal))
                    socket.Shutdown(SocketShutdown.Send); // a request that is not whole is waited for
                int count = await socket.ReceiveAsync(buffer, patience.Token);
                if (count == 0)
                    return received.ToArray();
                received.Write(buffer, 0, count);
            }

            int start = 0;
            foreach (int end in input.Cuts)
            {
                await socket.SendAsync(input.Frames.AsMemory(start, end - start), patience.Token);
                start = end;
            }

            socket.Shutdown(SocketShutdown.Send);
            int length;
            while ((length = await socket.ReceiveAsync(buffer, patience.Token)) > 0)
                received.Write(buffer, 0, length);
        }
        catch (SocketException)
        {
            // The gate has closed or reset the connection, which it may.
        }

        return received.ToArray();
    }

    /// <summary>The backend: says its challenge, answers the first message, and keeps every byte that it gets.</summary>
    private async Task AnswerAsync(Stream stream, HttpContext context)
    {
        string name = context.Request.Query["i"].ToString();
        _ = int.TryParse(name.Split('-')[0], CultureInfo.InvariantCulture, out int index);
        FuzzInput? input = _inputs.GetValueOrDefault(index) is { } known && known.Name == name ? known : null;
        var isOver = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (input is not null)
            _backends[index] = isOver;
        using var received = new MemoryStream();
        bool answered = false;
        byte[] buffer = new byte[4096];
        try
        {
            await stream.WriteAsync(input?.Challenge ?? FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(Protocol.Challenge(RecordedHandshakes.Nonce)), masked: false));
            int length;
            while ((length = await stream.ReadAsync(buffer)) > 0)
            {
                received.Write(buffer, 0, length);
                if (input is not null)
                    _reached[index] = received.ToArray();
                if (answered || RawFrames.FirstMessage(received.ToArray()) is null)
                    continue;
                answered = true;
                await stream.WriteAsync(input?.Hello ?? FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(Protocol.HelloOk("connect-1")), masked: false));
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The gate has ended the tunnel.
        }
        finally
        {
            isOver.SetResult();
        }
    }

    private async Task<long> SettleAsync(TestGateway gateway)
    {
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 0), "every place among the handshakes under way is back");
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Sessions.Count == 0), "no session is left");
        gateway.Log.Lines.ShouldNotContain(l => l.Level >= LogLevel.Error, "the gate itself does not fail");

        // What the test itself has kept.
        gateway.Log.Clear();
        gateway.Backend.Requests.Clear();
        _backends.Clear();
        _reached.Clear();
        long level = 0;
        for (int i = 0; i < 3; i++)
            level = GC.GetTotalMemory(forceFullCollection: true);
        return level;
    }

    /// <summary>The time of another day, going on as ever.</summary>
    private sealed class ShiftedTime(DateTimeOffset start) : TimeProvider
    {
        private readonly long _started = Stopwatch.GetTimestamp();

        public override DateTimeOffset GetUtcNow() => start + Stopwatch.GetElapsedTime(_started);
    }
}
