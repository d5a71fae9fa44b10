using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// Writes to the registry when devices were seen. <see cref="Note"/> only remembers; one task writes, each device once a minute at most.
/// Sightings without room, or that cannot be written, are dropped and counted: the device will be seen again.
/// </summary>
internal sealed partial class LastSeenTracker : BackgroundService
{
    /// <summary>The maximum number of remembered devices.</summary>
    public const int Room = 65_536;

    private const int WrittenAtOnce = 256;
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LiveInterval = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan FlushTimeout = TimeSpan.FromSeconds(2);

    // No queue as the audit has: only the last sighting of each device counts.
    private readonly SeenDevices _seen = new(Room, Interval);
    private readonly Lock _lock = new();
    private readonly SessionTable _sessions;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ILastSeenStore? _store;
    private readonly GateCounter _dropped;
    private readonly RegistryCalls _calls;
    private bool _failing;

    /// <summary>A tracker that writes while the host runs.</summary>
    /// <param name="sessions">The live sessions; their devices are noted at intervals.</param>
    /// <param name="time">The clock.</param>
    /// <param name="telemetry">For the counter of dropped sightings, <c>proxygateway.last_seen.dropped</c>.</param>
    /// <param name="logger">The log of failures.</param>
    /// <param name="store">The store; null: none.</param>
    public LastSeenTracker(
        SessionTable sessions, TimeProvider time, GateTelemetry telemetry, ILogger<LastSeenTracker> logger, ILastSeenStore? store = null)
    {
        (_sessions, _time, _logger, _store) = (sessions, time, logger, store);
        _calls = new RegistryCalls(telemetry);
        _dropped = telemetry.CreateCounter(
            "proxygateway.last_seen.dropped", "{device}", "Sightings of devices that were not noted in the registry.");
    }

    /// <summary>Notes that a device was seen.</summary>
    public void Note(DeviceId device)
    {
        if (_store is null)
            return;
        bool remembered;
        lock (_lock)
        {
            remembered = _seen.Note(device, _time.GetUtcNow());
        }

        if (!remembered)
            _dropped.Add(1);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_store is null)
            return;
        using var timer = new PeriodicTimer(Tick, _time);
        long notedLive = _time.GetTimestamp();
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                if (_time.GetElapsedTime(notedLive) >= LiveInterval)
                {
                    notedLive = _time.GetTimestamp();
                    foreach (DeviceId device in _sessions.Devices())
                        Note(device);
                }

                await WriteAsync(_store, stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            using var flush = new CancellationTokenSource(FlushTimeout, _time);
            await WriteAsync(_store, flush.Token);
        }
    }

    private async Task WriteAsync(ILastSeenStore store, CancellationToken cancellationToken)
    {
        List<SeenDevice> due;
        lock (_lock)
        {
            due = _seen.Take(_time.GetUtcNow());
        }

        foreach (SeenDevice[] devices in due.Chunk(WrittenAtOnce))
        {
            try
            {
                await _calls.MeasureAsync(RegistryOperation.NoteSeen, _calls.Start(), store.NoteSeenAsync(devices, cancellationToken));
                _failing = false;
            }
            catch (Exception e)
            {
                _dropped.Add(devices.Length);
                if (!_failing)
                    LogFailed(e.Message);
                _failing = true;
            }
        }
    }

    [LoggerMessage(1401, LogLevel.Warning, "The times at which devices were last seen cannot be written now: {Reason}")]
    private partial void LogFailed(string reason);
}
