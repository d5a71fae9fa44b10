using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The memory of one device: its record as last seen, and earlier versions. Not thread-safe.</summary>
internal sealed class SeenRecord
{
    private const int MostBefore = 4;
    private const int MostOlder = 16;

    private readonly List<string> _before = []; // replaced without a restriction
    private readonly List<string> _older = []; // replaced by a restriction, and the versions before those
    private DateTimeOffset? _goneAt;

    public SeenRecord(DeviceRecord record, DateTimeOffset now, Lifetimes lifetimes)
    {
        Latest = record;
        See(record, now, lifetimes);
    }

    /// <summary>The last seen record, reduced to rights.</summary>
    public DeviceRecord Latest { get; private set; }

    /// <summary>When the last restriction of the device was seen; null if none was.</summary>
    public DateTimeOffset? RestrictedAt { get; private set; }

    /// <summary>The number of the device's last restriction among all that the memory has counted; 0 if there was none.</summary>
    public long Restriction { get; set; }

    /// <summary>Whether the registry had lost a restriction before.</summary>
    public bool WasBehind { get; set; }

    /// <summary>The memory that this takes, approximately, in bytes.</summary>
    public long Bytes { get; private set; }

    /// <summary>Whether it may be forgotten: an old primary no longer comes back, or the store itself has forgotten the record.</summary>
    public bool IsPast(DateTimeOffset now) => now - RestrictedAt > RestrictionMemory.KeptFor || _goneAt <= now;

    /// <summary>Whether the registry has lost a restriction.</summary>
    public bool IsBehind(DeviceRecord? stored)
    {
        if (stored is null)
            return RestrictedAt is not null && (Latest.Refusals is not null || Latest.Block is not null);
        return _older.Contains(stored.Version)
            || (RestrictedAt is not null && stored.TakenAt < Latest.TakenAt) // false if an older gateway has written one of them
            || (Latest.Refusals is { WholeDevice: true } && stored.Refusals is not { WholeDevice: true });
    }

    public bool Knows(string version) => version == Latest.Version || WasReplaced(version);

    public bool WasReplaced(string version) => _before.Contains(version) || _older.Contains(version);

    /// <summary>Notes that the record was replaced. Returns whether that was a restriction.</summary>
    public bool Follow(DeviceRecord next, DateTimeOffset now, Lifetimes lifetimes)
    {
        Add(_before, Latest.Version, MostBefore);
        bool took = Supersede(Latest, next, now);
        See(next, now, lifetimes);
        return took;
    }

    /// <summary>
    /// Notes that one record replaced another. If that was a restriction, the old one and those before it no longer count. Returns whether
    /// it was.
    /// </summary>
    public bool Supersede(DeviceRecord previous, DeviceRecord next, DateTimeOffset now)
    {
        if (!WasTaken(previous, next, now))
            return false;
        int count = _before.IndexOf(previous.Version) + 1;
        foreach (string version in _before.Take(count))
            Add(_older, version, MostOlder);
        _before.RemoveRange(0, count);
        RestrictedAt = now;
        WasBehind = false;
        return true;
    }

    /// <summary>The record to use when the stored one is behind: that of a removed device.</summary>
    public DeviceRecord Removed(DeviceRecord? stored, DateTimeOffset now) =>
        (stored ?? new DeviceRecord { Id = Latest.Id, PublicKey = Latest.PublicKey, CreatedAt = now }) with
        {
            Grants = ImmutableSortedDictionary<GrantKey, Grant>.Empty,
            Legacy = false,
            Refusals = RefusalMarks.RemovedDevice(stored?.Refusals, now),
            Block = stored?.Block ?? Latest.Block,
            TakenAt = Latest.TakenAt,
        };

    /// <summary>
    /// Whether one record allows a device less than the one before it, or allows less to be approved for it without an operator.
    /// </summary>
    public static bool IsRestriction(DeviceRecord previous, DeviceRecord next, DateTimeOffset now) =>
        next.TakenAt > previous.TakenAt || IsRestriction(previous.AsOf(now), next.AsOf(now));

    // Many connections of a device may be decided at once, so this may be called with a record after several later ones. So if both
    // documents have the time of the last restriction, only that counts: an earlier record that holds less is no restriction.
    private static bool WasTaken(DeviceRecord previous, DeviceRecord next, DateTimeOffset now) =>
        previous.TakenAt is { } before && next.TakenAt is { } after ? after > before : IsRestriction(previous, next, now);

    public void Charge()
    {
        long bytes = 1024 + (64 * (_before.Count + _older.Count));
        foreach ((GrantKey key, Grant grant) in Latest.Grants)
            bytes += 512 + (2 * key.Length) + (grant.Scopes?.Sum(scope => 3 * (64 + (2L * scope.Length))) ?? 0); // once, and in the parts
        Bytes = bytes + (Latest.Block?.Unknown?.Sum(member => 256 + member.Key.Length + (2L * member.Value.GetRawText().Length)) ?? 0);
    }

    private static Grant WithoutUnknown(Grant grant) =>
        grant with { Unknown = null, Parts = grant.Parts is { } parts ? parts with { Unknown = null } : null };

    private static void Add(List<string> versions, string version, int most)
    {
        versions.Remove(version);
        versions.Add(version);
        if (versions.Count > most)
            versions.RemoveAt(0);
    }

    private static bool IsRestriction(DeviceRecord before, DeviceRecord after) =>
        (after.Block is not null && before.Block is null)
        || (before.Legacy && !after.Legacy)
        || (after.Refusals is { } marks && (before.Refusals is not { } earlier || IsMarkedMore(earlier, marks)))
        || before.Grants.Any(held => !after.Grants.TryGetValue(held.Key, out Grant? grant)
            || before.ScopesOf(held.Key).Except(after.ScopesOf(held.Key)).Any()
            || (grant.Until is { } until && !(until >= held.Value.Until)));

    private static bool IsMarkedMore(RefusalMarks before, RefusalMarks after) =>
        (after.WholeDevice && (!before.WholeDevice || before.Cleared.Except(after.Cleared).Any())) || after.Roles.Except(before.Roles).Any();

    private void See(DeviceRecord record, DateTimeOffset now, Lifetimes lifetimes)
    {
        Latest = record with
        {
            Requests = [],
            Client = new ClientDescription(),
            Label = null,
            Unknown = null,
            Grants = record.Grants.Values.All(g => g is { Unknown: null, Parts: null or { Unknown: null } })
                ? record.Grants
                : record.Grants.ToImmutableSortedDictionary(g => g.Key, g => WithoutUnknown(g.Value)),
        };
        _goneAt = Transitions.ExpiresAt(record, lifetimes, now);
        if (record.Refusals is not null || record.Block is not null)
            RestrictedAt ??= now;
    }
}
