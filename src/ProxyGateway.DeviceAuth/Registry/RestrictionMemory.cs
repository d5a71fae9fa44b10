using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// The restrictions of devices that this gateway has seen, so that a registry which has lost one (an old primary that comes back, a
/// failover) does not admit the device. A document has the time of the device's last restriction, so an earlier document is recognised
/// after any number of requests. Documents of older gateways lack it, and versions are stamps without an order, so this also remembers
/// which versions a narrower one replaced. A removal needs neither: its mark stays as long as the document. Devices that are neither paired
/// nor marked are not remembered, and devices with a restriction are not pushed out by others.
/// </summary>
internal sealed class RestrictionMemory
{
    /// <summary>How many devices with a restriction are remembered, and how many others.</summary>
    public const int MostDevices = 8192;

    /// <summary>How many bytes each of the two may take, approximately.</summary>
    public const long MostBytes = 4 << 20;

    /// <summary>How long a restriction is remembered: an old primary that comes back does so within a day.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromDays(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<DeviceId, LinkedListNode<SeenRecord>> _seen = [];
    private readonly Part _restricted = new();
    private readonly Part _others = new();
    private long _restrictions;

    /// <summary>How many restrictions were seen. A reader notes this number before it reads a record.</summary>
    public long Restrictions => Volatile.Read(ref _restrictions);

    /// <summary>How many devices are remembered.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _seen.Count;
            }
        }
    }

    /// <summary>How many bytes that takes, approximately.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock)
            {
                return _restricted.Bytes + _others.Bytes;
            }
        }
    }

    /// <summary>Whether the device is remembered with a record of another version.</summary>
    public bool IsUnseenVersion(DeviceId device, string version)
    {
        lock (_lock)
        {
            return _seen.TryGetValue(device, out LinkedListNode<SeenRecord>? node) && node.Value.Latest.Version != version;
        }
    }

    /// <summary>Judges a record that was read.</summary>
    /// <param name="device">The device.</param>
    /// <param name="stored">The record; null if there is none.</param>
    /// <param name="now">The store's time.</param>
    /// <param name="lifetimes">How long records are kept.</param>
    /// <param name="asOf">The <see cref="Restrictions"/> before it was read: the reading may have missed later ones.</param>
    public Judgement Judge(DeviceId device, DeviceRecord? stored, DateTimeOffset now, Lifetimes lifetimes, long asOf)
    {
        lock (_lock)
        {
            SeenRecord? seen = Find(device, now);
            if (seen is null)
            {
                if (stored is not null && (stored.IsListed || stored.Refusals is not null))
                    Keep(Begin(stored, now, lifetimes));
                return new Judgement(stored);
            }

            if (seen.IsBehind(stored))
            {
                if (seen.Restriction > asOf)
                {
                    Keep(seen);
                    return new Judgement(stored, IsOvertaken: true);
                }

                bool isFirst = !seen.WasBehind;
                seen.WasBehind = true;
                Keep(seen);
                return new Judgement(seen.Removed(stored, now), IsBehind: true, isFirst);
            }

            if (stored is not null && !seen.Knows(stored.Version))
                Note(seen, seen.Follow(stored, now, lifetimes));
            if (stored is not null)
                Keep(seen);
            return new Judgement(stored);
        }
    }

    /// <summary>Notes that this gateway has replaced a record.</summary>
    /// <param name="previous">The record before; null if there was none.</param>
    /// <param name="next">The record now.</param>
    /// <param name="now">The store's time.</param>
    /// <param name="lifetimes">How long records are kept.</param>
    public void Replaced(DeviceRecord? previous, DeviceRecord next, DateTimeOffset now, Lifetimes lifetimes)
    {
        lock (_lock)
        {
            SeenRecord? seen = Find(next.Id, now);
            if (seen is null && previous?.IsListed != true && !next.IsListed && next.Refusals is null)
                return;
            seen ??= Begin(previous ?? next, now, lifetimes);
            if (previous is not null && seen.WasReplaced(previous.Version))
                Note(seen, seen.Supersede(previous, next, now)); // reported late: later records are known already
            else if (!seen.Knows(next.Version))
                Note(seen, seen.Follow(next, now, lifetimes));
            Keep(seen);
        }
    }

    private SeenRecord Begin(DeviceRecord record, DateTimeOffset now, Lifetimes lifetimes)
    {
        var seen = new SeenRecord(record, now, lifetimes);
        Note(seen, seen.RestrictedAt is not null);
        return seen;
    }

    private void Note(SeenRecord seen, bool took)
    {
        if (took)
            seen.Restriction = ++_restrictions;
    }

    private SeenRecord? Find(DeviceId device, DateTimeOffset now)
    {
        if (!_seen.TryGetValue(device, out LinkedListNode<SeenRecord>? node))
            return null;
        Drop(node); // the caller keeps it again, as the last that was used
        return node.Value.IsPast(now) ? null : node.Value;
    }

    private void Keep(SeenRecord seen)
    {
        Part part = seen.RestrictedAt is null ? _others : _restricted;
        seen.Charge();
        _seen[seen.Latest.Id] = part.Records.AddLast(seen);
        part.Bytes += seen.Bytes;
        while (part.Records.Count > MostDevices || part.Bytes > MostBytes)
            Drop(part.Records.First!);
    }

    private void Drop(LinkedListNode<SeenRecord> node)
    {
        Part part = node.List == _restricted.Records ? _restricted : _others;
        part.Records.Remove(node);
        part.Bytes -= node.Value.Bytes;
        _seen.Remove(node.Value.Latest.Id);
    }

    private sealed class Part
    {
        public LinkedList<SeenRecord> Records { get; } = new();

        public long Bytes { get; set; }
    }
}

/// <summary>The judgement of a record.</summary>
/// <param name="Record">The record, or in its place that of a removed device with the same version.</param>
/// <param name="IsBehind">Whether the registry has lost a restriction that this gateway has seen.</param>
/// <param name="IsFirst">Whether this is seen for the first time for the device.</param>
/// <param name="IsOvertaken">The device was restricted while its record was read: the record does not count and must be read again.</param>
internal readonly record struct Judgement(DeviceRecord? Record, bool IsBehind = false, bool IsFirst = false, bool IsOvertaken = false);
