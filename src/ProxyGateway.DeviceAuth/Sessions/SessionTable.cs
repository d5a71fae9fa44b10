using Microsoft.Extensions.Hosting;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>The live sessions of this gateway, by device. Hears of changed devices, and closes the sessions that are no longer covered.</summary>
internal sealed class SessionTable
{
    private readonly Dictionary<DeviceId, List<Session>> _byDevice = [];
    private readonly Lock _lock = new();
    private readonly IDeviceAuthSettings _settings;
    private readonly TimeProvider _time;

    public SessionTable(DeviceRegistry registry, IDeviceAuthSettings settings, TimeProvider time, IHostApplicationLifetime lifetime)
    {
        _settings = settings;
        _time = time;
        registry.Changed += OnChanged;
        lifetime.ApplicationStopping.Register(CloseAll); // or the server would wait for them until its time is up
    }

    /// <summary>How many sessions there are, provisional ones included.</summary>
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

    /// <summary>The devices that have sessions, provisional ones included.</summary>
    public DeviceId[] Devices()
    {
        lock (_lock)
        {
            return [.. _byDevice.Keys];
        }
    }

    /// <summary>
    /// Enters a session before the registry is asked, so that a change in between is not missed. Null if the device has as many as it may.
    /// </summary>
    public Session? TryEnter(Claim claim, int limit)
    {
        lock (_lock)
        {
            if (!_byDevice.TryGetValue(claim.Device, out List<Session>? sessions))
                _byDevice[claim.Device] = sessions = [];
            if (sessions.Count >= limit)
                return null;
            var session = new Session(this, claim, _time.GetUtcNow());
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

    private void CloseAll()
    {
        Session[] all;
        lock (_lock)
        {
            all = [.. _byDevice.Values.SelectMany(sessions => sessions)];
        }

        foreach (Session session in all)
        {
            session.Close(Closing.Restarting);
        }
    }

    private void OnChanged(DeviceRecord record)
    {
        Session[] affected;
        lock (_lock)
        {
            if (!_byDevice.TryGetValue(record.Id, out List<Session>? sessions))
                return;
            affected = [.. sessions];
        }

        PairingPolicy policy = _settings.Current.Policy;
        foreach (Session session in affected)
        {
            session.Recheck(record, policy);
        }
    }
}
