using System.Diagnostics.Metrics;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Diagnostics;

namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>
/// Enters events. <see cref="Enter"/> never blocks and never throws; one task writes entries in batches, and retries while the store is
/// unavailable. Entries without room are dropped and counted.
/// </summary>
public sealed partial class AuditLog : IHostedService, IDisposable
{
    /// <summary>How many entries of one source may wait for the store.</summary>
    internal const int Capacity = 4096;

    private const int MaxBatch = 256;

    // A flood becomes a few writes a second instead of thousands.
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FlushTimeout = TimeSpan.FromSeconds(5);

    private readonly IAuditStore? _store;
    private readonly IAuditListener[] _listeners;
    private readonly IAuditTally? _tally;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly GateCounter _dropped;
    private readonly RegistryCalls _calls;
    private readonly string _writer = Guid.NewGuid().ToString("N");
    private readonly string _gateway = Environment.MachineName;
    private readonly AuditPace _pace;
    private readonly RequestPace _requests;
    private readonly Throttle _warningsOfDrops;
    private readonly Throttle _warningsOfStore;
    private readonly Throttle _warningsOfShortage;
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _giveUp;

    // One queue keeps the order; one count for each source keeps a source from taking another's room. A bounded channel has one bound for
    // all.
    private readonly Channel<AuditEntry> _queue = Channel.CreateUnbounded<AuditEntry>(new UnboundedChannelOptions { SingleReader = true });
    private readonly int[] _waiting = new int[Enum.GetValues<AuditSource>().Length];
    private long _droppedInAll;
    private long _droppedAtWarning;
    private long _leftOut;
    private Task _running = Task.CompletedTask;

    /// <summary>An audit that is written while the host runs.</summary>
    /// <param name="time">The clock of the entries.</param>
    /// <param name="telemetry">For the counter of dropped entries, <c>proxygateway.audit.dropped</c>.</param>
    /// <param name="logger">The log of dropped entries.</param>
    /// <param name="store">The store; null: none, and nothing is counted.</param>
    /// <param name="listeners">Other listeners to entries.</param>
    /// <param name="tally">Counts events; null: nothing does.</param>
    internal AuditLog(
        TimeProvider time,
        GateTelemetry telemetry,
        ILogger<AuditLog> logger,
        IAuditStore? store = null,
        IEnumerable<IAuditListener>? listeners = null,
        IAuditTally? tally = null)
    {
        ArgumentNullException.ThrowIfNull(telemetry);
        (_time, _logger, _store, _listeners, _tally) = (time, logger, store, [.. listeners ?? []], tally);
        (_pace, _requests) = (new AuditPace(time, Take), new RequestPace(time, Take));
        (_warningsOfDrops, _warningsOfStore, _warningsOfShortage) = (Throttle.OncePerMinute(time), Throttle.OncePerMinute(time), Throttle.OncePerMinute(time));
        _giveUp = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _calls = new RegistryCalls(telemetry);
        _dropped = telemetry.CreateCounter(
            "proxygateway.audit.dropped", "{entry}", "Audit entries that were dropped because the store did not take them in time.");
        telemetry.Meter.CreateObservableUpDownCounter("proxygateway.audit.queue.length", MeasureQueue, "{entry}", "Audit entries that wait for the store, by source.");
    }

    /// <summary>
    /// Enters an event; its time and gateway are filled in, and it is cut to its bounds. If an address is refused again and again, the
    /// first refusals of a minute are entered, and the rest as one entry.
    /// </summary>
    public void Enter(AuditEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        _tally?.Count(entry);
        if ((_store is not null || _listeners.Length > 0) && _pace.MayEnter(entry))
            Take(entry);
    }

    /// <summary>
    /// Enters the admission of a plain HTTP request; false if it was only counted, since its device has made many within a minute.
    /// </summary>
    internal bool TryEnterRequest(AuditEntry admission)
    {
        if (!_requests.MayEnter(admission))
        {
            _tally?.Count(admission);
            return false;
        }

        Enter(admission);
        return true;
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (_store is not null)
            _running = Task.Run(() => RunAsync(_store), CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <summary>Takes no more entries, and waits a bounded time until all are written.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _pace.Tell();
        _requests.Tell();
        _queue.Writer.TryComplete();
        await _stopping.CancelAsync();
        _giveUp.CancelAfter(FlushTimeout);
        await _running.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pace.Dispose();
        _requests.Dispose();
        _queue.Writer.TryComplete();
        _stopping.Cancel();
        _giveUp.Cancel();
    }

    private IEnumerable<Measurement<int>> MeasureQueue() => Enum.GetValues<AuditSource>().Select(source =>
        new Measurement<int>(Volatile.Read(ref _waiting[(int)source]), KeyValuePair.Create<string, object?>(TagNames.Source, HandshakeOutcomeNames.Hyphenate(source.ToString()))));

    private void Take(AuditEntry entry)
    {
        entry = AuditBounds.Cut(entry with { Time = _time.GetUtcNow(), Gateway = _gateway });
        foreach (IAuditListener listener in _listeners)
            listener.Entered(entry);
        if (_store is null)
            return;
        ref int waiting = ref _waiting[(int)AuditKinds.SourceOf(entry)];
        bool hasRoom = Interlocked.Increment(ref waiting) <= Capacity;
        if (hasRoom && _queue.Writer.TryWrite(entry))
            return;
        Interlocked.Decrement(ref waiting);
        Drop(1);
    }

    private async Task RunAsync(IAuditStore store)
    {
        for (long number = 1; await _queue.Reader.WaitToReadAsync(); number++)
        {
            await PauseAsync(Gathering, _stopping.Token);
            await WriteAsync(store, new AuditBatch(_writer, number, TakeBatch()));
            WarnOfDrops();
        }

        WarnOfDrops(isLast: true);
    }

    private List<AuditEntry> TakeBatch()
    {
        var entries = new List<AuditEntry>();
        while (entries.Count < MaxBatch && _queue.Reader.TryRead(out AuditEntry? entry))
        {
            entries.Add(entry);
            Interlocked.Decrement(ref _waiting[(int)AuditKinds.SourceOf(entry)]);
        }

        return entries;
    }

    private async Task WriteAsync(IAuditStore store, AuditBatch batch)
    {
        while (!_giveUp.IsCancellationRequested)
        {
            try
            {
                NoteShortage(await _calls.MeasureAsync(RegistryOperation.AppendAudit, _calls.Start(), store.AppendAsync(batch, _giveUp.Token)));
                return;
            }
            catch (OperationCanceledException) when (_giveUp.IsCancellationRequested)
            {
                break;
            }
            catch (RegistryUnavailableException e)
            {
                if (_warningsOfStore.TryPass())
                    LogStoreAway(e);
            }
            catch (Exception e)
            {
                LogFailed(e); // an unexpected failure; the next batch may still be written
                break;
            }

            WarnOfDrops();
            await PauseAsync(RetryAfter, _giveUp.Token);
        }

        Drop(batch.Entries.Count);
    }

    private void NoteShortage(AuditReceipt receipt)
    {
        if (receipt.LeftOut > 0)
            _dropped.Add(receipt.LeftOut);
        _leftOut += receipt.LeftOut;
        if (receipt.Shortage is not null && _warningsOfShortage.TryPass())
            LogShortage(receipt.Shortage, _leftOut);
    }

    private async Task PauseAsync(TimeSpan delay, CancellationToken cancellationToken) =>
        await Task.Delay(delay, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private void Drop(int count)
    {
        _dropped.Add(count);
        Interlocked.Add(ref _droppedInAll, count);
    }

    private void WarnOfDrops(bool isLast = false)
    {
        long dropped = Interlocked.Read(ref _droppedInAll);
        if (dropped == _droppedAtWarning || !(isLast || _warningsOfDrops.TryPass()))
            return;
        LogDropped(dropped - _droppedAtWarning, dropped);
        _droppedAtWarning = dropped;
    }

    [LoggerMessage(1301, LogLevel.Warning, "{Count} audit entries were dropped ({Total} since the start): the registry did not take them in time.")]
    private partial void LogDropped(object count, object total);

    [LoggerMessage(1302, LogLevel.Warning, "The audit cannot be written; the gateway tries again, and drops entries that find no room meanwhile.")]
    private partial void LogStoreAway(Exception exception);

    [LoggerMessage(1303, LogLevel.Error, "Audit entries could not be written and were dropped.")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(1304, LogLevel.Error, "The registry is short of space: {Shortage}. To leave some for operators' changes, older audit entries of refusals, and then of devices, make room for newer ones; {Count} were left out since the start.")]
    private partial void LogShortage(string shortage, object count);
}
