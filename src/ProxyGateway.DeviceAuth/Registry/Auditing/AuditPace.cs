using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>
/// Bounds the refusals of one address that are entered in a minute: the first are entered, the rest is counted and entered as one. Only
/// refusals are held back, so an opened request is always entered.
/// </summary>
internal sealed class AuditPace(TimeProvider time, Action<AuditEntry> enter) : IDisposable
{
    /// <summary>How many refusals of an address are entered in a minute.</summary>
    public const int PerMinute = 10;

    /// <summary>How many addresses are distinguished in a minute; later ones count as one.</summary>
    public const int MostAddresses = 1024;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private Dictionary<string, Refusals> _addresses = [];
    private ITimer? _timer;

    /// <summary>Whether an entry may be entered; if not, it is counted.</summary>
    public bool MayEnter(AuditEntry entry)
    {
        if (entry.Kind is not (AuditKinds.DeviceRefused or AuditKinds.UpgradeRefused))
            return true;
        string address = AddressBlock.Of(entry.Address);
        lock (_lock)
        {
            if (!_addresses.TryGetValue(address, out Refusals? refusals))
            {
                if (_addresses.Count >= MostAddresses)
                    address = "";
                if (!_addresses.TryGetValue(address, out refusals))
                    _addresses[address] = refusals = address.Length > 0 ? new Refusals(entry.Address, entry.Locality) : new Refusals(null, null);
                _timer ??= time.CreateTimer(static pace => ((AuditPace)pace!).Tell(), this, Minute, Timeout.InfiniteTimeSpan);
            }

            if (refusals.Entered < PerMinute)
            {
                refusals.Entered++;
                return true;
            }

            refusals.LeftOut++;
            return false;
        }
    }

    /// <summary>Enters the counts and starts again.</summary>
    public void Tell()
    {
        Dictionary<string, Refusals> addresses;
        lock (_lock)
        {
            addresses = _addresses;
            _addresses = [];
            _timer?.Dispose();
            _timer = null;
        }

        foreach (Refusals refusals in addresses.Values.Where(r => r.LeftOut > 0))
        {
            enter(new AuditEntry
            {
                Kind = AuditKinds.RefusalsLeftOut,
                Count = refusals.LeftOut,
                Address = refusals.Address,
                Locality = refusals.Locality,
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

    // Not the entry: it may have kilobytes of a client's text.
    private sealed class Refusals(string? address, LocalityKind? locality)
    {
        public string? Address => address;

        public LocalityKind? Locality => locality;

        public int Entered { get; set; }

        public int LeftOut { get; set; }
    }
}
