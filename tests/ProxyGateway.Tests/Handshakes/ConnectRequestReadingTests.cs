using System.Buffers;
using System.Text;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>Where a stranger's <c>connect</c> is read: it may take a while, and every other connection of an event loop would wait for it.</summary>
public sealed class ConnectRequestReadingTests
{
    [Fact]
    public async Task A_request_is_not_read_on_the_thread_that_received_it()
    {
        using var limiter = new ProofVerificationLimiter();
        using var message = new WatchedMemory(Encoding.UTF8.GetBytes("""{"type":"req","id":"1","method":"connect","params":{}}"""));
        Task<Examination> reading = null!;
        var loop = new Thread(() => reading = limiter.ExamineAsync(message.Memory, "nonce", DateTimeOffset.UnixEpoch, TimeSpan.FromMinutes(2), default).AsTask());
        loop.Start();
        loop.Join();

        (await reading).Malformed.ShouldNotBeNull().Closing.Reason.ShouldBe("invalid handshake: params.client is malformed");

        message.ReadBy.ShouldNotBeEmpty();
        message.ReadBy.ShouldNotContain(loop.ManagedThreadId);
    }

    [Fact]
    public async Task Requests_are_read_in_the_order_in_which_they_came()
    {
        using var limiter = new ProofVerificationLimiter();
        using var mayGoOn = new ManualResetEventSlim();
        using var mayEnd = new ManualResetEventSlim();
        var order = new List<int>();

        // One place is given back in the end, so that the others follow each other by it.
        Task<Examination> first = ExamineAsync(mayGoOn.Wait);
        Task<Examination>[] held = [.. Enumerable.Range(1, Environment.ProcessorCount - 1).Select(_ => ExamineAsync(mayEnd.Wait))];
        Task<Examination>[] others = [.. Enumerable.Range(0, 20).Select(i => ExamineAsync(() =>
        {
            lock (order)
                order.Add(i);
        }))];
        order.ShouldBeEmpty();

        mayGoOn.Set();
        await Task.WhenAll([first, .. others]);

        order.ShouldBe(Enumerable.Range(0, others.Length));
        mayEnd.Set();
        await Task.WhenAll(held);

        Task<Examination> ExamineAsync(Action read)
        {
            var message = new WatchedMemory([], read);
            return limiter.ExamineAsync(message.Memory, "nonce", DateTimeOffset.UnixEpoch, TimeSpan.FromMinutes(2), default).AsTask();
        }
    }

    /// <summary>Bytes that tell who reads them.</summary>
    private sealed class WatchedMemory(byte[] bytes, Action? firstRead = null) : MemoryManager<byte>
    {
        private Action? _firstRead = firstRead;

        public List<int> ReadBy { get; } = [];

        public override Memory<byte> Memory => CreateMemory(bytes.Length);

        public override Span<byte> GetSpan()
        {
            lock (ReadBy)
                ReadBy.Add(Environment.CurrentManagedThreadId);
            Interlocked.Exchange(ref _firstRead, null)?.Invoke();
            return bytes;
        }

        public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException();

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
