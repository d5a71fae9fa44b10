using System.Security.Cryptography;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// The live sessions of this gateway, by device, and those of clients without one by operating-system user. A change through this gateway, and a
/// reload of the rule for such clients, at once closes sessions that are no longer covered.
/// </summary>
internal sealed class SessionTable
{
    private const int FirstNumber = 1_000_000_000; // ten digits

    private readonly Dictionary<DeviceId, List<DeviceSession>> _byDevice = [];
    private readonly Dictionary<uint, List<DevicelessSession>> _byUser = [];
    private readonly Lock _lock = new();
    private readonly IDeviceAuthSettings _settings;
    private readonly TimeProvider _time;
    private readonly RevocationMetrics? _revocations;
    private readonly Dictionary<Audience, int> _byAudience = [];

    // At random: if the numbers began anew with each process, an operator's order to end a session could end another one's after a restart.
    private long _lastNumber = RandomNumberGenerator.GetInt32(FirstNumber, int.MaxValue);

    public SessionTable(DeviceRegistry registry, IDeviceAuthSettings settings, TimeProvider time, PairingWaits? waits = null, RevocationMetrics? revocations = null)
    {
        _revocations = revocations;
        _settings = settings;
        _time = time;
        Waits = waits ?? new PairingWaits(registry, settings, time);
        registry.Changed += (record, now) => Recheck(record.Id, record, now, asOf: null, RevocationTrigger.Change);
        settings.Changed += RecheckDeviceless;
    }

    /// <summary>The clients that wait for a decision; they hear of the same changes as sessions.</summary>
    public PairingWaits Waits { get; }

    /// <summary>The number of sessions, including provisional ones.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _byDevice.Values.Sum(s => s.Count) + _byUser.Values.Sum(s => s.Count);
            }
        }
    }

    /// <summary>The number of sessions of each audience that has had any, including provisional ones.</summary>
    public (Audience Audience, int Count)[] CountByAudience()
    {
        lock (_lock)
        {
            return [.. _byAudience.Select(pair => (pair.Key, pair.Value))];
        }
    }

    /// <summary>The devices that have sessions, including provisional ones, or that wait for a decision.</summary>
    public DeviceId[] Devices()
    {
        DeviceId[] waiting = Waits.Devices();
        lock (_lock)
        {
            return [.. _byDevice.Keys.Union(waiting)];
        }
    }

    /// <summary>
    /// Enters a session before the registry is read, so that no change in between is missed. Null if the device has its maximum of
    /// sessions.
    /// </summary>
    public DeviceSession? TryEnter(DeviceClaim claim, ClaimOrigin origin, int limit) =>
        TryEnter(_byDevice, claim.Device, limit, number => new DeviceSession(this, number, claim, origin, _time));

    /// <summary>
    /// Enters a session of a client without a device before it is decided, so that a reload in between is not missed. Null if the user has as many
    /// as a device may have.
    /// </summary>
    /// <param name="user">The operating-system user at the other end of the socket.</param>
    /// <param name="ask">What the client asks for.</param>
    /// <param name="origin">Where it comes from.</param>
    /// <param name="limit">How many the user may have.</param>
    public DevicelessSession? TryEnter(uint user, DevicelessAsk ask, ClaimOrigin origin, int limit) =>
        TryEnter(_byUser, user, limit, number => new DevicelessSession(this, number, user, ask, origin, _time));

    internal void Leave(DeviceSession session) => Leave(_byDevice, session.Claim.Device, session);

    internal void Leave(DevicelessSession session) => Leave(_byUser, session.Owner, session);

    /// <summary>
    /// Whether a session of the device was admitted under another version of its record than this one, or is provisional; or one of its clients waits
    /// and has not seen this version.
    /// </summary>
    public bool NeedsRecheck(DeviceId device, string? version)
    {
        if (Waits.NeedsRecheck(device, version))
            return true;
        lock (_lock)
        {
            return _byDevice.TryGetValue(device, out List<DeviceSession>? sessions) && sessions.Exists(s => s.Version is null || s.Version != version);
        }
    }

    /// <summary>Closes the sessions of a device that its record does not cover.</summary>
    /// <param name="device">The device.</param>
    /// <param name="record">Its present record; null if there is none.</param>
    /// <param name="now">The store's time when it was read.</param>
    /// <param name="asOf">A time before it was read; null for now.</param>
    /// <param name="trigger">By what this gateway heard of a change.</param>
    /// <param name="heardAt">When it did; null for now.</param>
    public void Recheck(
        DeviceId device, DeviceRecord? record, DateTimeOffset now, TimeMark? asOf = null, RevocationTrigger trigger = RevocationTrigger.Sweep, TimeMark? heardAt = null)
    {
        long start = _time.GetTimestamp();
        PairingPolicy policy = _settings.Current.Policy;
        foreach (DeviceSession session in Of(device))
        {
            if (session.Recheck(record, now, policy, asOf))
                _revocations?.Closed(trigger, heardAt?.Elapsed ?? _time.GetElapsedTime(start));
        }

        Waits.Recheck(device, record?.Version);
    }

    /// <summary>Admitted sessions that have not ended, oldest first.</summary>
    /// <param name="device">Only of this device; null for all.</param>
    /// <param name="after">The number of the last known session; 0 for the first.</param>
    /// <param name="limit">The maximum number.</param>
    public Session[] List(DeviceId? device, long after, int limit)
    {
        IEnumerable<Session> all = device is { } one ? Of(one) : All();
        return [.. all.Where(s => s.Number > after && s.IsLive).OrderBy(s => s.Number).Take(limit)];
    }

    /// <summary>Closes the sessions of a device.</summary>
    public void Close(DeviceId device, Closing closing)
    {
        Close(Of(device), closing);
        Waits.End(device, closing);
    }

    /// <summary>Closes every session.</summary>
    public void CloseAll(Closing closing) => Close(All(), closing);

    /// <summary>Closes the sessions of all devices. Those of clients without one do not hang on the registry.</summary>
    public void CloseDevices(Closing closing) => Close([.. All().OfType<DeviceSession>()], closing);

    /// <summary>Closes the sessions of clients without a device that the rule in force does not cover.</summary>
    public void RecheckDeviceless()
    {
        DeviceAuthOptions options = _settings.Current;
        foreach (DevicelessSession session in All().OfType<DevicelessSession>())
            session.Recheck(options);
    }

    private TSession? TryEnter<TOwner, TSession>(Dictionary<TOwner, List<TSession>> sessionsByOwner, TOwner owner, int limit, Func<long, TSession> make)
        where TOwner : notnull
        where TSession : Session
    {
        lock (_lock)
        {
            if (!sessionsByOwner.TryGetValue(owner, out List<TSession>? sessions))
                sessionsByOwner[owner] = sessions = [];
            if (sessions.Count >= limit)
                return null;
            TSession session = make(++_lastNumber);
            sessions.Add(session);
            _byAudience[session.Audience] = _byAudience.GetValueOrDefault(session.Audience) + 1;
            return session;
        }
    }

    private void Leave<TOwner, TSession>(Dictionary<TOwner, List<TSession>> sessionsByOwner, TOwner owner, TSession session)
        where TOwner : notnull
        where TSession : Session
    {
        lock (_lock)
        {
            if (!sessionsByOwner.TryGetValue(owner, out List<TSession>? sessions) || !sessions.Remove(session))
                return;
            _byAudience[session.Audience]--; // stays at zero: a series that vanishes looks like a gateway that is down
            if (sessions.Count == 0)
                sessionsByOwner.Remove(owner);
        }
    }

    private Session[] All()
    {
        lock (_lock)
        {
            return [.. _byDevice.Values.SelectMany(sessions => sessions), .. _byUser.Values.SelectMany(sessions => sessions)];
        }
    }

    private static void Close(Session[] sessions, Closing closing)
    {
        foreach (Session session in sessions)
        {
            session.Close(closing);
        }
    }

    private DeviceSession[] Of(DeviceId device)
    {
        lock (_lock)
        {
            return _byDevice.TryGetValue(device, out List<DeviceSession>? sessions) ? [.. sessions] : [];
        }
    }
}
