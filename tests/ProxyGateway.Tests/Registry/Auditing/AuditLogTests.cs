using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests.Registry.Auditing;

/// <summary>The audit is in nobody's way, whatever the store does.</summary>
public sealed class AuditLogTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 22, 10, 0, 0, TimeSpan.Zero));
    private readonly CountedDrops _drops = new("proxygateway.audit.dropped");
    private readonly Lines _log = new();
    private readonly Store _store = new();
    private readonly AuditLog _audit;

    public AuditLogTests() => _audit = new AuditLog(_time, _drops.Telemetry, _log, _store);

    public void Dispose()
    {
        _audit.Dispose();
        _drops.Dispose();
    }

    [Fact]
    public async Task Entries_are_written_in_order_with_time_and_gateway()
    {
        await _audit.StartAsync(default);
        for (int i = 0; i < 1000; i++)
            _audit.Enter(Entry(i % 2 == 0 ? AuditKinds.RequestExpired : AuditKinds.DeviceRemoved, i));

        await PassUntilAsync(() => _store.Written.Count == 1000);

        _store.Written.Select(e => e.Reason).ShouldBe(Enumerable.Range(0, 1000).Select(i => $"{i}"));
        _store.Written.ShouldAllBe(e => e.Gateway == Environment.MachineName && e.Time >= _time.Start);
        _store.Batches.ShouldAllBe(b => b.Entries.Count <= 256);
        _store.Batches.Select(b => b.Number).ShouldBe(Enumerable.Range(1, _store.Batches.Count).Select(i => (long)i));
        _drops.Count.ShouldBe(0);
    }

    [Fact]
    public async Task While_the_store_hangs_entering_never_waits_and_entries_without_room_are_counted()
    {
        _store.Hangs = true;
        await _audit.StartAsync(default);
        for (int i = 0; i < 3 * AuditLog.Capacity; i++)
            _audit.Enter(Entry(AuditKinds.RequestExpired, i));

        _audit.Enter(Entry(AuditKinds.DeviceRemoved, -1)); // the flood has not taken its room
        long dropped = _drops.Count;
        dropped.ShouldBeInRange((2 * AuditLog.Capacity) - 256, 2 * AuditLog.Capacity, "all but those that wait and those that are being written");

        _store.Hangs = false;
        await PassUntilAsync(() => _store.Written.Any(e => e.Kind == AuditKinds.DeviceRemoved));
        _store.Written.Count.ShouldBe((3 * AuditLog.Capacity) + 1 - (int)dropped);
        _drops.Count.ShouldBe(dropped);
        _log.Of(1301).ShouldHaveSingleItem().ShouldContain($"{dropped} audit entries were dropped");
    }

    [Fact]
    public async Task A_batch_is_sent_again_unchanged_until_the_store_takes_it()
    {
        _store.Failures = 3;
        await _audit.StartAsync(default);
        _audit.Enter(Entry(AuditKinds.DeviceAdmitted, 1));
        await PassUntilAsync(() => _store.Failures == 0);
        _audit.Enter(Entry(AuditKinds.DeviceAdmitted, 2));
        await PassUntilAsync(() => _store.Written.Count == 2);

        _store.Attempts.Take(4).ShouldAllBe(b => ReferenceEquals(b, _store.Attempts.First()));
        _store.Written.Select(e => e.Reason).ShouldBe(["1", "2"]);
        _log.Of(1302).ShouldHaveSingleItem("an outage is said once");
        _drops.Count.ShouldBe(0);
    }

    [Fact]
    public async Task An_unexpected_failure_loses_only_its_batch()
    {
        _store.Faults = true;
        await _audit.StartAsync(default);
        _audit.Enter(Entry(AuditKinds.DeviceAdmitted, 1));
        await PassUntilAsync(() => _drops.Count == 1);
        _store.Faults = false;
        _audit.Enter(Entry(AuditKinds.DeviceAdmitted, 2));
        await PassUntilAsync(() => _store.Written.Count == 1);

        _store.Written.ShouldHaveSingleItem().Reason.ShouldBe("2");
        _log.Of(1303).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task Stopping_waits_until_entries_are_written()
    {
        await _audit.StartAsync(default);
        for (int i = 0; i < 1000; i++)
            _audit.Enter(Entry(AuditKinds.DeviceAdmitted, i));

        await _audit.StopAsync(default).WaitAsync(TimeSpan.FromSeconds(30)); // and no time passes

        _store.Written.Count.ShouldBe(1000);
        _audit.Enter(Entry(AuditKinds.DeviceAdmitted, 0));
        _drops.Count.ShouldBe(1, "what comes too late is counted");
    }

    [Fact]
    public async Task Stopping_waits_a_bounded_time()
    {
        _store.Hangs = true;
        await _audit.StartAsync(default);
        for (int i = 0; i < 1000; i++)
            _audit.Enter(Entry(AuditKinds.DeviceAdmitted, i));
        Task stopped = _audit.StopAsync(default);

        await PassUntilAsync(() => stopped.IsCompleted);

        (_time.GetUtcNow() - _time.Start).ShouldBeLessThan(TimeSpan.FromMinutes(1));
        _drops.Count.ShouldBe(1000);
        _log.Of(1301).Last().ShouldContain("(1000 since the start)");
    }

    [Fact]
    public async Task Without_a_store_no_entry_is_kept_or_counted()
    {
        using var off = new AuditLog(_time, _drops.Telemetry, _log);
        await off.StartAsync(default);
        for (int i = 0; i < 2 * AuditLog.Capacity; i++)
            off.Enter(Entry(AuditKinds.RequestExpired, i));

        _drops.Count.ShouldBe(0);
    }

    [Fact]
    public async Task Entries_that_a_store_leaves_out_are_counted_and_its_shortage_is_logged_once_a_minute()
    {
        _store.Receipt = new AuditReceipt(LeftOut: 1, "12 of 16 MiB");
        await _audit.StartAsync(default);
        for (int i = 0; i < 3; i++)
        {
            _audit.Enter(Entry(AuditKinds.RequestExpired, i));
            await PassUntilAsync(() => _store.Written.Count == i + 1);
        }

        await PassUntilAsync(() => _drops.Count == 3);
        _log.Of(1304).ShouldHaveSingleItem().ShouldContain("short of space: 12 of 16 MiB");
    }

    private static AuditEntry Entry(string kind, int number) => new() { Kind = kind, Reason = $"{number}" };

    /// <summary>Lets time pass, in small steps, until the condition holds.</summary>
    private async Task PassUntilAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!condition())
        {
            patience.Token.ThrowIfCancellationRequested();
            _time.Advance(TimeSpan.FromMilliseconds(10));
            await Task.Delay(1);
        }
    }

    private sealed class Store : IAuditStore
    {
        private volatile TaskCompletionSource? _hanging;
        private volatile int _failures;

        public ConcurrentQueue<AuditBatch> Attempts { get; } = [];

        public ConcurrentQueue<AuditBatch> Batches { get; } = [];

        public IReadOnlyCollection<AuditEntry> Written => [.. Batches.SelectMany(b => b.Entries)];

        public bool Faults { get; set; }

        public AuditReceipt Receipt { get; set; }

        public int Failures
        {
            get => _failures;
            set => _failures = value;
        }

        public bool Hangs
        {
            set
            {
                TaskCompletionSource? before = _hanging;
                _hanging = value ? new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously) : null;
                before?.SetResult();
            }
        }

        public async ValueTask<AuditReceipt> AppendAsync(AuditBatch batch, CancellationToken cancellationToken)
        {
            Attempts.Enqueue(batch);
            if (_hanging is { } hanging)
                await hanging.Task.WaitAsync(cancellationToken);
            if (Faults)
                throw new InvalidOperationException("A fault.");
            if (_failures > 0)
            {
                _failures--;
                throw new RegistryUnavailableException("Away.");
            }

            Batches.Enqueue(batch);
            return Receipt;
        }

        public ValueTask<AuditPage> ListAsync(AuditFilter filter, long? before, int limit, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<AuditRange> ReadAfterAsync(long id, int limit, CancellationToken cancellationToken) =>
            throw new NotSupportedException();
    }

    private sealed class Lines : ILogger<AuditLog>
    {
        private readonly ConcurrentQueue<(int Id, string Text)> _lines = [];

        public IEnumerable<string> Of(int id) => _lines.Where(l => l.Id == id).Select(l => l.Text);

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _lines.Enqueue((eventId.Id, formatter(state, exception)));
    }
}
