using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.Tests.Admin;

public sealed class AuditTailTests
{
    // Two clocks are read one after the other, and a thread may be held up in between.
    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(-1000)]
    public async Task Without_patience_nobody_waits(int milliseconds)
    {
        var tail = new AuditTail(new FakeTimeProvider());

        (await tail.WaitAsync(new Empty(), last: 0, TimeSpan.FromMilliseconds(milliseconds), default).WaitAsync(TimeSpan.FromSeconds(5))).ShouldBe(0);
    }

    private sealed class Empty : IAuditStore
    {
        public ValueTask<AuditReceipt> AppendAsync(AuditBatch batch, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<AuditPage> ListAsync(AuditFilter filter, long? before, int limit, CancellationToken cancellationToken) => new(new AuditPage([], Next: null));

        public ValueTask<AuditRange> ReadAfterAsync(long id, int limit, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
