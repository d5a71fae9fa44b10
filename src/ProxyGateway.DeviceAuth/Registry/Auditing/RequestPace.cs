using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>
/// Bounds the plain HTTP requests of one device that are entered one by one in a minute: the first are, the rest is counted and entered as one. A device that
/// asks all the time would push the entries of all others out.
/// </summary>
internal sealed class RequestPace(TimeProvider time, Action<AuditEntry> enter) : IDisposable
{
    /// <summary>How many requests of a device, in one role and from one address, are entered one by one in a minute.</summary>
    public const int PerMinute = 10;

    /// <summary>How many devices, roles and addresses are distinguished in a minute; of later ones every request is entered.</summary>
    public const int Most = 1024;

    /// <summary>The largest scopes that are kept for the minute, in bytes of JSON; a request with larger ones is always entered.</summary>
    public const int MostScopes = 1024;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private Dictionary<(DeviceId, GrantKey, string?), Requests> _devices = [];
    private ITimer? _timer;

    /// <summary>Whether a request is entered; if not, it is counted.</summary>
    /// <param name="admission">The entry of its admission, by a grant.</param>
    public bool MayEnter(AuditEntry admission)
    {
        if (admission is not { DeviceId: { } device, Role: { } role, Scopes: { Bytes: <= MostScopes } scopes })
            return true;
        var key = (device, new GrantKey(admission.Audience, role), admission.Address);
        lock (_lock)
        {
            if (!_devices.TryGetValue(key, out Requests? requests))
            {
                if (_devices.Count >= Most)
                    return true;
                _devices[key] = requests = new Requests(scopes, admission.Locality);
                _timer ??= time.CreateTimer(static pace => ((RequestPace)pace!).Tell(), this, Minute, Timeout.InfiniteTimeSpan);
            }

            if (requests.Entered < PerMinute || !requests.Scopes.Equals(scopes)) // the count must not hide what a request was for
            {
                requests.Entered++;
                return true;
            }

            requests.LeftOut++;
            return false;
        }
    }

    /// <summary>Enters the counts and starts again.</summary>
    public void Tell()
    {
        Dictionary<(DeviceId, GrantKey, string?), Requests> devices;
        lock (_lock)
        {
            devices = _devices;
            _devices = [];
            _timer?.Dispose();
            _timer = null;
        }

        foreach (((DeviceId device, GrantKey key, string? address), Requests requests) in devices)
        {
            if (requests.LeftOut == 0)
                continue;
            enter(new AuditEntry
            {
                Kind = AuditKinds.AdmissionsLeftOut,
                DeviceId = device,
                Audience = key.Audience,
                Role = key.Role,
                Scopes = requests.Scopes,
                Address = address,
                Locality = requests.Locality,
                Count = requests.LeftOut,
            });
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _timer?.Dispose();
            _timer = null;
        }
    }

    private sealed class Requests(ScopeSet scopes, LocalityKind? locality)
    {
        public ScopeSet Scopes => scopes;

        public LocalityKind? Locality => locality;

        public int Entered { get; set; }

        public int LeftOut { get; set; }
    }
}
