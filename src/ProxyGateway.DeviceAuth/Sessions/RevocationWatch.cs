using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// Keeps live sessions consistent with a registry that others change. After an announcement it reads the device's record. After a gap in
/// the announcements, and at intervals, it compares the versions under which sessions were admitted with those in the registry. After a
/// reload it reads the records of all sessions, since another policy may cover less.
/// </summary>
internal sealed partial class RevocationWatch : BackgroundService
{
    private const int ReadsAtOnce = 64;
    private const int VersionsAtOnce = 512;
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly IDeviceStore _store;
    private readonly DeviceRegistry _registry;
    private readonly SessionTable _sessions;
    private readonly RegistryFreshness _freshness;
    private readonly IDeviceAuthSettings _settings;
    private readonly FreshnessOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>Devices whose records are being read, and whether to read again afterwards.</summary>
    private readonly ConcurrentDictionary<DeviceId, bool> _checking = [];
    private readonly SemaphoreSlim _reads = new(ReadsAtOnce);
    private readonly Channel<bool> _sweeps = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly ITimer _sweepTimer;
    private readonly ITimer _overdue;
    private int _gaps;
    private int _gapsSwept;
    private PairingPolicy _policyChecked;
    private int _reloads;
    private int _reloadsChecked;

    public RevocationWatch(
        IDeviceStore store,
        DeviceRegistry registry,
        SessionTable sessions,
        RegistryFreshness freshness,
        IDeviceAuthSettings settings,
        FreshnessOptions options,
        TimeProvider time,
        ILogger<RevocationWatch> logger)
    {
        _store = store;
        _registry = registry;
        _sessions = sessions;
        _freshness = freshness;
        _settings = settings;
        _options = options;
        _policyChecked = settings.Current.Policy;
        _time = time;
        _logger = logger;
        _sweepTimer = time.CreateTimer(_ => _sweeps.Writer.TryWrite(true), state: null, options.SweepInterval, options.SweepInterval);
        _overdue = time.CreateTimer(_ => OnStale(), state: null, options.StalenessLimit, Timeout.InfiniteTimeSpan);
        settings.Changed += OnReload;
    }

    public override void Dispose()
    {
        _settings.Changed -= OnReload;
        _overdue.Dispose();
        _sweepTimer.Dispose();
        _reads.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(ListenAsync(stoppingToken), SweepAsync(stoppingToken));

    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        await foreach (Announcement announcement in _store.ListenAsync(cancellationToken))
        {
            if (announcement is Announcement.Resumed)
            {
                Interlocked.Increment(ref _gaps);
                _sweeps.Writer.TryWrite(true);
                continue;
            }

            if (announcement is Announcement.Changed changed
                && (_sessions.NeedsRecheck(changed.Device, changed.Version) || _registry.IsUnseenVersion(changed.Device, changed.Version)))
                Check(changed.Device, RevocationTrigger.Announcement, cancellationToken);
            if (Volatile.Read(ref _gapsSwept) == Volatile.Read(ref _gaps))
                Renew();
        }
    }

    private void OnReload()
    {
        Interlocked.Increment(ref _reloads);
        _sweeps.Writer.TryWrite(true);
    }

    private void Renew()
    {
        if (_freshness.IsStale)
            LogCurrentAgain();
        _freshness.Renew();
        _overdue.Change(_options.StalenessLimit, Timeout.InfiniteTimeSpan);
    }

    private void OnStale()
    {
        // Timers use a coarser clock and may be early: this must hold from now on.
        if (_freshness.StaleIn is { Ticks: > 0 } left)
        {
            _overdue.Change(left + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
            return;
        }

        LogStale(_options.StalenessLimit);
        if (_options.CloseStaleSessions)
            _sessions.CloseDevices(Closing.RegistryUnavailable);
    }

    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        await foreach (bool _ in _sweeps.Reader.ReadAllAsync(cancellationToken))
        {
            int gaps = Volatile.Read(ref _gaps);
            while (!await TryCompareAsync(cancellationToken))
            {
                await Task.Delay(RetryAfter, _time, cancellationToken);
            }

            Volatile.Write(ref _gapsSwept, gaps);
        }
    }

    private async Task<bool> TryCompareAsync(CancellationToken cancellationToken)
    {
        _sessions.RecheckDeviceless(); // for settings that do not say that they have changed; the registry has no part in it
        int reloads = Volatile.Read(ref _reloads);
        // before the sessions are listed: a later session is decided by this policy or a newer one
        PairingPolicy policy = _settings.Current.Policy;
        if (reloads != _reloadsChecked || !ReferenceEquals(policy, _policyChecked))
        {
            if (!await TryCheckAllAsync(cancellationToken))
                return false;
            (_reloadsChecked, _policyChecked) = (reloads, policy);
            return true;
        }

        foreach (DeviceId[] devices in _sessions.Devices().Chunk(VersionsAtOnce))
        {
            IReadOnlyDictionary<DeviceId, string?> versions;
            try
            {
                versions = await _registry.GetVersionsAsync(devices, cancellationToken);
            }
            catch (RegistryUnavailableException)
            {
                return false;
            }

            foreach (DeviceId device in devices)
            {
                // A device without an answer is asked about again until there is one.
                if (!versions.TryGetValue(device, out string? version) || _sessions.NeedsRecheck(device, version))
                    Check(device, RevocationTrigger.Sweep, cancellationToken);
            }
        }

        return true;
    }

    private async Task<bool> TryCheckAllAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _registry.PingAsync(cancellationToken); // an unavailable registry is asked again later, and not once for each device
        }
        catch (RegistryUnavailableException)
        {
            return false;
        }

        foreach (DeviceId device in _sessions.Devices())
            Check(device, RevocationTrigger.Reload, cancellationToken);
        return true;
    }

    private void Check(DeviceId device, RevocationTrigger trigger, CancellationToken cancellationToken)
    {
        bool isBeingRead = _checking.AddOrUpdate(device, addValue: false, static (_, _) => true);
        if (!isBeingRead)
            _ = CheckAsync(device, trigger, cancellationToken);
    }

    private async Task CheckAsync(DeviceId device, RevocationTrigger trigger, CancellationToken cancellationToken)
    {
        var since = new TimeMark(_time);
        bool hasFailed = false;
        try
        {
            while (true)
            {
                if (await TryReadAsync(device, isSilent: hasFailed, trigger, since, cancellationToken))
                {
                    if (_checking.TryRemove(KeyValuePair.Create(device, false)))
                        return;
                    _checking[device] = false; // announced again since the reading began
                    continue;
                }

                hasFailed = true;
                if (_options.CloseStaleSessions && since.Elapsed >= _options.StalenessLimit)
                    _sessions.Close(device, Closing.RegistryUnavailable);
                await Task.Delay(RetryAfter, _time, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The gateway stops, and closes all sessions.
        }
        catch (Exception e)
        {
            LogCheckFailed(device, e);
            _sessions.Close(device, Closing.InternalError);
            _checking.TryRemove(device, out _);
        }
    }

    private async Task<bool> TryReadAsync(DeviceId device, bool isSilent, RevocationTrigger trigger, TimeMark heardAt, CancellationToken cancellationToken)
    {
        await _reads.WaitAsync(cancellationToken);
        try
        {
            var asOf = new TimeMark(_time); // the machine may sleep before the answer arrives
            (DeviceRecord? record, DateTimeOffset now) = await _registry.ReadAsync(device, _settings.Current.PairingRules, cancellationToken);
            _sessions.Recheck(device, record, now, asOf, trigger, heardAt);
            return true;
        }
        catch (NewerDocumentException)
        {
            // Reading again does not help, and the new document may block the device. The client may reconnect to a newer gateway.
            _sessions.Close(device, Closing.RegistryUnavailable);
            return true;
        }
        catch (RegistryUnavailableException e)
        {
            if (!isSilent)
                LogUnread(device, e);
            return !_sessions.NeedsRecheck(device, version: null); // no session is left to read it for
        }
        finally
        {
            _reads.Release();
        }
    }

    [LoggerMessage(1501, LogLevel.Warning, "The record of device {Device} changed and cannot be read; its sessions are checked as soon as it can.")]
    private partial void LogUnread(object device, Exception exception);

    [LoggerMessage(1502, LogLevel.Error, "The sessions of device {Device} could not be checked, and are closed.")]
    private partial void LogCheckFailed(object device, Exception exception);

    [LoggerMessage(1503, LogLevel.Error, "Announcements of changes have not arrived for {Limit}. Nobody is admitted until they do.")]
    private partial void LogStale(object limit);

    [LoggerMessage(1504, LogLevel.Information, "Announcements of changes arrive again.")]
    private partial void LogCurrentAgain();
}
