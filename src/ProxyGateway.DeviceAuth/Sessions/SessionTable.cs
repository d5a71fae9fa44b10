using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// The live sessions of this gateway, by device. A change through this gateway at once closes sessions that are no longer covered.
/// </summary>
internal sealed class SessionTable
{
    private readonly Dictionary<DeviceId, List<Session>> _byDevice = [];
    private readonly Lock _lock = new();
    private readonly IDeviceAuthSettings _settings;
    private readonly TimeProvider _time;
    private long _lastNumber;

    public SessionTable(DeviceRegistry registry, IDeviceAuthSettings settings, TimeProvider time)
    {
        _settings = settings;
        _time = time;
        registry.Changed += (record, now) => Recheck(record.Id, record, now);
    }

    /// <summary>The number of sessions, including provisional ones.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _byDevice.Values.Sum(s => s.Count);
            }
        }
    }

    /// <summary>The devices that have sessions, including provisional ones.</summary>
    public DeviceId[] Devices()
    {
        lock (_lock)
        {
            return [.. _byDevice.Keys];
        }
    }

    /// <summary>
    /// Enters a session before the registry is read, so that no change in between is missed. Null if the device has its maximum of
    /// sessions.
    /// </summary>
    public Session? TryEnter(DeviceClaim claim, ClaimOrigin origin, int limit)
    {
        lock (_lock)
        {
            if (!_byDevice.TryGetValue(claim.Device, out List<Session>? sessions))
                _byDevice[claim.Device] = sessions = [];
            if (sessions.Count >= limit)
                return null;
            var session = new Session(this, ++_lastNumber, claim, origin, _time);
            sessions.Add(session);
            return session;
        }
    }

    internal void Leave(Session session)
    {
        lock (_lock)
        {
            if (_byDevice.TryGetValue(session.Claim.Device, out List<Session>? sessions) && sessions.Remove(session) && sessions.Count == 0)
                _byDevice.Remove(session.Claim.Device);
        }
    }

    /// <summary>
    /// Whether a session of the device was admitted under another version of its record than this one, or is provisional.
    /// </summary>
    public bool NeedsRecheck(DeviceId device, string? version)
    {
        lock (_lock)
        {
            return _byDevice.TryGetValue(device, out List<Session>? sessions) && sessions.Exists(s => s.Version is null || s.Version != version);
        }
    }

    /// <summary>Closes the sessions of a device that its record does not cover.</summary>
    /// <param name="device">The device.</param>
    /// <param name="record">Its present record; null if there is none.</param>
    /// <param name="now">The store's time when it was read.</param>
    /// <param name="asOf">A time before it was read; null for now.</param>
    public void Recheck(DeviceId device, DeviceRecord? record, DateTimeOffset now, TimeMark? asOf = null)
    {
        PairingPolicy policy = _settings.Current.Policy;
        foreach (Session session in Of(device))
        {
            session.Recheck(record, now, policy, asOf);
        }
    }

    /// <summary>Admitted sessions that have not ended, oldest first.</summary>
    /// <param name="device">Only of this device; null for all.</param>
    /// <param name="after">The number of the last known session; 0 for the first.</param>
    /// <param name="limit">The maximum number.</param>
    public Session[] List(DeviceId? device, long after, int limit)
    {
        Session[] all;
        lock (_lock)
        {
            all = [.. _byDevice.Values.SelectMany(sessions => sessions)];
        }

        return [.. all.Where(s => s.Number > after && s.IsLive && (device is null || s.Claim.Device == device)).OrderBy(s => s.Number).Take(limit)];
    }

    /// <summary>Closes the sessions of a device.</summary>
    public void Close(DeviceId device, Closing closing) => Close(Of(device), closing);

    /// <summary>Closes every session.</summary>
    public void CloseAll(Closing closing)
    {
        Session[] all;
        lock (_lock)
        {
            all = [.. _byDevice.Values.SelectMany(sessions => sessions)];
        }

        Close(all, closing);
    }

    private static void Close(Session[] sessions, Closing closing)
    {
        foreach (Session session in sessions)
        {
            session.Close(closing);
        }
    }

    private Session[] Of(DeviceId device)
    {
        lock (_lock)
        {
            return _byDevice.TryGetValue(device, out List<Session>? sessions) ? [.. sessions] : [];
        }
    }
}
