using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.Tests.Handshakes.InMemory;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests.Sessions;

/// <summary>What a relayed message costs: nothing that is ours.</summary>
[Collection("spans")]
public sealed class SessionPipeTests
{
    private const int Messages = 10_000;
    private static readonly byte[] Message = [0x82, 0x04, 1, 2, 3, 4];

    [Theory]
    [InlineData(false)]
#if !DEBUG // a debug build makes an object of each state machine
    [InlineData(true)]
#endif
    public async Task Relaying_allocates_nothing_per_message(bool waits)
    {
        var client = new EndlessClient(waits);
        await using var pipe = new SessionPipe(new DefaultHttpContext(), client, TimeProvider.System);
        using DeviceSession session = SomeSession.Of(Some.Claim("operator", "operator.read"));
        pipe.Begin(session);

        (await AllocatedPerMessageAsync(pipe, client)).ShouldBeLessThan(1);
    }

    // With everything exported: a handshake is measured, a message is not.
    [Fact]
    public async Task Relaying_allocates_nothing_per_message_with_listeners_to_everything()
    {
        using var gate = new MemoryGate();
        _ = gate.Get<GateGauges>();
        using var measured = new Measured(gate.Get<IMeterFactory>());
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Telemetry.ActivitySourceName,
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        using Activity request = new Activity("request").Start();
        HandshakeTrace trace = gate.Get<HandshakeMetrics>().Begin("agent", "ConnectFrame", "default").ShouldNotBeNull();
        var client = new EndlessClient(waits: false);
        await using var pipe = new SessionPipe(new DefaultHttpContext(), client, TimeProvider.System);
        using DeviceSession session = gate.Get<SessionTable>().TryEnter(Some.Claim("operator", "operator.read"), Some.Origin, limit: 1)!;
        trace.Complete(HandshakeOutcome.Admitted);
        pipe.Begin(session);

        (await AllocatedPerMessageAsync(pipe, client)).ShouldBeLessThan(1);
        measured.Of("proxygateway.handshakes.completed route=agent handshake=ConnectFrame audience=default outcome=admitted").ShouldBe(1, "the listeners hear");
    }

    [Fact]
    public async Task A_zero_byte_read_is_passed_through()
    {
        var client = new EndlessClient(waits: false);
        await using var pipe = new SessionPipe(new DefaultHttpContext(), client, TimeProvider.System);
        using DeviceSession session = SomeSession.Of(Some.Claim("operator", "operator.read"));
        pipe.Begin(session);

        (await pipe.ReadAsync(Memory<byte>.Empty, default)).ShouldBe(0);

        client.LastReadLength.ShouldBe(0);
    }

    private static async Task<double> AllocatedPerMessageAsync(SessionPipe pipe, EndlessClient client)
    {
        byte[] buffer = new byte[64];
        await RelayAsync(pipe, client, buffer); // pools fill, tiers settle

        long before = GC.GetAllocatedBytesForCurrentThread();
        await RelayAsync(pipe, client, buffer);
        return (GC.GetAllocatedBytesForCurrentThread() - before) / (double)Messages;
    }

    private static async Task RelayAsync(SessionPipe pipe, EndlessClient client, byte[] buffer)
    {
        for (int i = 0; i < Messages; i++)
        {
            ValueTask<int> ready = pipe.ReadAsync(Memory<byte>.Empty, default);
            client.Go();
            _ = await ready;
            ValueTask<int> read = pipe.ReadAsync(buffer, default);
            client.Go();
            if (await read != Message.Length)
                throw new InvalidOperationException("The message is not whole.");
            ValueTask write = pipe.Outlet.WriteAsync(Message, default);
            client.Go();
            await write;
        }
    }

    /// <summary>A client that always has a message and always takes one: at once, or when told to.</summary>
    private sealed class EndlessClient(bool waits) : Stream
    {
        private readonly Source _source = new();
        private int _result;

        public int LastReadLength { get; private set; } = -1;

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public void Go()
        {
            if (waits)
                _source.Complete(_result);
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            LastReadLength = buffer.Length;
            _result = Math.Min(buffer.Length, Message.Length);
            Message.AsSpan(0, _result).CopyTo(buffer.Span);
            return waits ? _source.Begin() : new ValueTask<int>(_result);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            waits ? _source.BeginWithoutResult() : default;

        public override void Flush() => throw new NotSupportedException();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        private sealed class Source : IValueTaskSource<int>, IValueTaskSource
        {
            private ManualResetValueTaskSourceCore<int> _core;

            public ValueTask<int> Begin()
            {
                _core.Reset();
                return new ValueTask<int>(this, _core.Version);
            }

            public ValueTask BeginWithoutResult()
            {
                _core.Reset();
                return new ValueTask(this, _core.Version);
            }

            public void Complete(int result) => _core.SetResult(result);

            public int GetResult(short token) => _core.GetResult(token);

            void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

            public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

            public void OnCompleted(
                Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
                _core.OnCompleted(continuation, state, token, flags);
        }
    }
}
