using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.Tests.Shared;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry.Auditing;

/// <summary>The audit while Redis is hurt, and after.</summary>
public sealed class RedisAuditOutageTests(ITestOutputHelper output) : IAsyncLifetime, IDisposable
{
    private readonly CountedDrops _drops = new("proxygateway.audit.dropped");
    private RedisServer _server = null!;
    private RedisDeviceStore _store = null!;
    private CountedAttempts _attempts = null!;
    private AuditLog _audit = null!;

    public async Task InitializeAsync()
    {
        _server = await RedisServer.StartAsync();
        _store = new RedisDeviceStore(
            new RedisStoreOptions { Configuration = _server.EndPoint, Timeout = TimeSpan.FromMilliseconds(500) }, NullLogger<RedisDeviceStore>.Instance);
        _attempts = new CountedAttempts(_store);
        _audit = new AuditLog(TimeProvider.System, _drops.Telemetry, NullLogger<AuditLog>.Instance, _attempts);
        await _audit.StartAsync(default);
        Enter(AuditKinds.DeviceAdmitted, 0, 10);
        await HasAsync(10);
    }

    public async Task DisposeAsync()
    {
        await _audit.StopAsync(default);
        await _store.DisposeAsync();
        await _server.DisposeAsync();
    }

    public void Dispose()
    {
        _audit.Dispose();
        _drops.Dispose();
    }

    [Fact]
    public async Task Entries_made_while_the_server_hangs_are_written_once()
    {
        await _server.StopAsync();
        TimeSpan slowest = Enter(AuditKinds.DeviceAdmitted, 10, 1000);

        // Each attempt reaches the server's socket, and every one of them is carried out when it goes on.
        await Eventually.HoldsAsync(() => Task.FromResult(_attempts.Failed >= 3), "there were some attempts");
        await _server.ContinueAsync();
        await HasAsync(1010);
        Enter(AuditKinds.DeviceAdmitted, 1010, 1);
        List<AuditEntry> all = await HasAsync(1011);

        output.WriteLine($"The slowest of 1000 entries took {slowest.TotalMilliseconds:F2} ms to enter.");
        all.Select(e => e.Reason).ShouldBe(Enumerable.Range(0, 1011).Select(i => $"{i}"));
        _drops.Count.ShouldBe(0);
    }

    [Fact]
    public async Task Entries_without_room_during_an_outage_are_counted_and_the_rest_is_written()
    {
        const int Flood = AuditLog.Capacity + 1000;
        await _server.KillAsync();
        TimeSpan slowest = Enter(AuditKinds.RequestExpired, 0, Flood);
        Enter(AuditKinds.DeviceRemoved, 0, 1);
        long dropped = _drops.Count;
        await _server.RestartAsync();

        List<AuditEntry> all = await HasAsync(10 + Flood - (int)dropped + 1);

        output.WriteLine($"{dropped} of {Flood} were dropped; the slowest took {slowest.TotalMilliseconds:F2} ms to enter.");
        dropped.ShouldBeInRange(1000 - 256, 1000); // as many as a batch may be on their way
        all.Count(e => e.Kind == AuditKinds.DeviceRemoved).ShouldBe(1);
        _drops.Count.ShouldBe(dropped);
    }

    private TimeSpan Enter(string kind, int first, int count)
    {
        TimeSpan slowest = TimeSpan.Zero;
        for (int i = first; i < first + count; i++)
        {
            long started = Stopwatch.GetTimestamp();
            _audit.Enter(new AuditEntry { Kind = kind, Reason = $"{i}" });
            TimeSpan took = Stopwatch.GetElapsedTime(started);
            slowest = took > slowest ? took : slowest;
        }

        return slowest;
    }

    private async Task<List<AuditEntry>> HasAsync(int count)
    {
        List<AuditEntry> all = [];
        await Eventually.HoldsAsync(
            async () =>
            {
                try
                {
                    all = [.. (await _store.ReadAfterAsync(0, 10_000, default)).Items];
                }
                catch (RegistryUnavailableException)
                {
                    return false;
                }

                return all.Count >= count;
            },
            $"{count} entries are written");
        all.Count.ShouldBe(count);
        return all;
    }

    private sealed class CountedAttempts(IAuditStore inner) : IAuditStore
    {
        private int _failed;

        public int Failed => _failed;

        public async ValueTask<AuditReceipt> AppendAsync(AuditBatch batch, CancellationToken cancellationToken)
        {
            try
            {
                return await inner.AppendAsync(batch, cancellationToken);
            }
            catch (RegistryUnavailableException)
            {
                Interlocked.Increment(ref _failed);
                throw;
            }
        }

        public ValueTask<AuditPage> ListAsync(AuditFilter filter, long? before, int limit, CancellationToken cancellationToken) =>
            inner.ListAsync(filter, before, limit, cancellationToken);

        public ValueTask<AuditRange> ReadAfterAsync(long id, int limit, CancellationToken cancellationToken) =>
            inner.ReadAfterAsync(id, limit, cancellationToken);
    }
}
