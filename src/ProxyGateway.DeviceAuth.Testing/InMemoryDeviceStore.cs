using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>
/// The registry in memory: devices, audit, when devices were last seen, and what gateways share, until the object is gone. It does all that the other stores do,
/// so several gates of one process may share it. Like them it stores documents as JSON. Thread-safe.
/// </summary>
/// <param name="time">The store's time, which decides about expiry; null for the system's.</param>
/// <param name="logger">The log of damaged documents; null: none.</param>
public sealed class InMemoryDeviceStore(TimeProvider? time = null, ILogger<InMemoryDeviceStore>? logger = null) : ICopyableDeviceStore, IReplayStore, ILastSeenStore, IAuditStore, ISharedDocumentStore
{
    private const int MostUnheard = 1024;
    private static readonly TimeSpan SignOfLife = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly ILogger _logger = logger ?? NullLogger<InMemoryDeviceStore>.Instance;
    private readonly Lock _lock = new();
    private readonly Dictionary<DeviceId, Entry> _devices = [];
    private readonly SortedSet<(long At, string Device)> _expiries = [];
    private readonly Dictionary<RequestId, IndexedRequest> _requests = [];
    private readonly Dictionary<(string Rule, DeviceId Device), long> _pairings = [];
    private readonly List<Listener> _listeners = [];
    private readonly InMemoryAudit _audit = new();
    private readonly ReplayMarks _marks = new(time ?? TimeProvider.System);
    private readonly Dictionary<(string Group, string Name), SharedDocument> _shared = [];
    private volatile bool _isAvailable = true;
    private volatile bool _isDisposed;

    /// <summary>
    /// False: the store is unavailable. Every call throws <see cref="RegistryUnavailableException"/>, and listeners get nothing, until it
    /// is true again.
    /// </summary>
    public bool IsAvailable
    {
        get => _isAvailable;
        set => _isAvailable = value;
    }

    /// <summary>How many audit entries of each <see cref="AuditSource"/> are kept. 100,000 unless set.</summary>
    public int AuditEntries
    {
        get => _audit.MostEntries;
        init => _audit.MostEntries = value;
    }

    /// <summary>
    /// How many bytes the documents of the audit entries of each <see cref="AuditSource"/> have together at most. 64 MiB unless set.
    /// </summary>
    public long AuditBytes
    {
        get => _audit.MostBytes;
        init => _audit.MostBytes = value;
    }

    /// <inheritdoc/>
    public DateTimeOffset? RemembersSince => _marks.Since;

    /// <inheritdoc/>
    public ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken) => new(Locked(now => Get(id, now), cancellationToken));

    /// <inheritdoc/>
    public ValueTask<StoredDevice> GetAsync(DeviceId id, UseOnce once, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(once);
        return new(Locked(
            now =>
            {
                StoredDevice stored = Get(id, now);
                return stored with { Mark = _marks.Mark(id, once, stored) };
            },
            cancellationToken));
    }

    /// <inheritdoc/>
    public ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(swap);
        return new(Locked(now => Swap(swap, now), cancellationToken));
    }

    /// <inheritdoc/>
    public ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken) =>
        new(Locked(_ => _requests.TryGetValue(id, out IndexedRequest found) ? found.Device : (DeviceId?)null, cancellationToken));

    /// <inheritdoc/>
    public ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        return new(Locked(
            _ => PageOf(
                _devices.Where(d => d.Value.IsListed && string.CompareOrdinal(d.Key.ToString(), cursor) > 0)
                    .OrderBy(d => d.Key.ToString(), StringComparer.Ordinal)
                    .Select(d => (d.Key, d.Key)),
                limit,
                (_, record) => record),
            cancellationToken));
    }

    /// <inheritdoc/>
    public ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        return new(Locked(
            now => PageOf(
                _requests.Where(r => r.Value.OpenUntil > now.ToUnixTimeMilliseconds() && (cursor is null || string.CompareOrdinal(r.Key.ToString(), cursor) < 0))
                    .OrderByDescending(r => r.Key.ToString(), StringComparer.Ordinal)
                    .Select(r => (r.Key, r.Value.Device)),
                limit,
                (id, record) => record.FindRequest(id)),
            cancellationToken));
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(
        IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return new(Locked<IReadOnlyDictionary<DeviceId, string?>>(_ => ids.ToDictionary(id => id, id => _devices.GetValueOrDefault(id)?.Version), cancellationToken));
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Announcement> ListenAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var listener = new Listener();
        lock (_lock)
            _listeners.Add(listener);
        try
        {
            yield return new Announcement.Resumed();
            await using ITimer timer = _time.CreateTimer(_ => TellAlive(listener), state: null, SignOfLife, SignOfLife);
            await foreach (Announcement announcement in listener.Announcements.Reader.ReadAllAsync(cancellationToken))
            {
                if (listener.HasMissedSome())
                    yield return new Announcement.Resumed();
                yield return announcement;
            }
        }
        finally
        {
            lock (_lock)
                _listeners.Remove(listener);
        }
    }

    /// <inheritdoc/>
    public ValueTask PingAsync(CancellationToken cancellationToken)
    {
        _ = Locked(now => now, cancellationToken);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<StoredDocument> ReadAllAsync(CancellationToken cancellationToken)
    {
        return Read().ToAsyncEnumerable();

        IEnumerable<StoredDocument> Read() // read when the first is requested
        {
            foreach (StoredDocument document in Locked(_ => _devices.Select(d => d.Value.ReadStored(d.Key)).ToArray(), cancellationToken))
                yield return document;
        }
    }

    /// <inheritdoc/>
    /// <remarks>All of them or none.</remarks>
    public async Task WriteAllAsync(IAsyncEnumerable<StoredDocument> documents, CancellationToken cancellationToken)
    {
        List<StoredDocument> all = await documents.ToListAsync(cancellationToken);
        _ = Locked(
            _ =>
            {
                foreach (StoredDocument document in all)
                    Put(document.Record, document.ExpiresAt);
                return all.Count;
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask NoteSeenAsync(IReadOnlyList<SeenDevice> devices, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(devices);
        _ = Locked(
            _ =>
            {
                foreach (SeenDevice seen in devices)
                {
                    long at = seen.At.ToUnixTimeMilliseconds();
                    if (_devices.TryGetValue(seen.Device, out Entry? entry) && entry.IsListed && !(entry.SeenAt >= at))
                        entry.SeenAt = at;
                }

                return devices.Count;
            },
            cancellationToken);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<AuditReceipt> AppendAsync(AuditBatch batch, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return new(Locked(_ => _audit.Append(batch), cancellationToken));
    }

    /// <inheritdoc/>
    public ValueTask<AuditPage> ListAsync(AuditFilter filter, long? before, int limit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(filter);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        return new(Locked(_ => _audit.List(filter, before, limit), cancellationToken));
    }

    /// <inheritdoc/>
    public ValueTask<AuditRange> ReadAfterAsync(long id, int limit, CancellationToken cancellationToken) =>
        new(Locked(_ => _audit.ReadAfter(id, limit), cancellationToken));

    /// <inheritdoc/>
    public ValueTask<SharedDocuments> ListAsync(string group, CancellationToken cancellationToken) =>
        new(Locked(now => new SharedDocuments([.. SharedIn(group, now)], now), cancellationToken));

    /// <inheritdoc/>
    public ValueTask<bool> SwapAsync(string? previousVersion, SharedDocument next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        return new(Locked(now => SwapShared(previousVersion, next, now), cancellationToken));
    }

    /// <summary>Closes the store: from now on every call throws <see cref="RegistryUnavailableException"/>.</summary>
    public ValueTask DisposeAsync()
    {
        _isDisposed = true;
        return ValueTask.CompletedTask;
    }

    /// <summary>The stored document of a device; null if there is none.</summary>
    internal byte[]? DocumentOf(DeviceId id) => Locked(_ => _devices.GetValueOrDefault(id)?.Document, CancellationToken.None);

    /// <summary>Replaces a device's document, and leaves the rest unchanged.</summary>
    internal void Overwrite(DeviceId id, byte[] document) => Locked(_ => _devices[id].Document = document, CancellationToken.None);

    /// <summary>The number of stored documents and requests.</summary>
    internal (int Documents, int Requests) Counts => Locked(_ => (_devices.Count, _requests.Count), CancellationToken.None);

    private T Locked<T>(Func<DateTimeOffset, T> use, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_isDisposed || !_isAvailable)
            throw new RegistryUnavailableException(_isDisposed ? "The registry is closed." : "The registry is away.");
        lock (_lock)
        {
            // Whole milliseconds, like the expiry of documents: a request is open in the index and in its record, or in neither.
            var now = DateTimeOffset.FromUnixTimeMilliseconds(_time.GetUtcNow().ToUnixTimeMilliseconds());
            Forget(now.ToUnixTimeMilliseconds());
            return use(now);
        }
    }

    private StoredDevice Get(DeviceId id, DateTimeOffset now)
    {
        try
        {
            return new StoredDevice(_devices.TryGetValue(id, out Entry? entry) ? entry.Read(id) : null, now);
        }
        catch (UnreadableDocumentException e)
        {
            return new StoredDevice(e, now);
        }
    }

    private SwapResult Swap(DeviceSwap swap, DateTimeOffset time)
    {
        long now = time.ToUnixTimeMilliseconds();
        Entry? stored = _devices.GetValueOrDefault(swap.Id);
        bool isExpected = swap.ReplacesDamage ? stored?.IsDamaged(swap.Id) == true : stored?.Version == swap.Previous?.Version;
        if (!isExpected)
            return SwapResult.Conflict;
        if (!HasRoom(swap, now))
            return SwapResult.TooManyRequests;
        if (swap.Pairing is { } pairing && TryPair(pairing, swap.Id, now) is { } tooMany)
            return tooMany;
        if (swap.Once is { } once && !_marks.TryUse(swap.Id, once, swap.Next.IsListed))
            return SwapResult.UsedBefore;

        Put(swap.Next, swap.ExpiresAt);
        if (swap.Previous?.Version != swap.Next.Version)
            _listeners.ForEach(listener => listener.Tell(new Announcement.Changed(swap.Id, swap.Next.Version)));
        return SwapResult.Swapped;
    }

    // A renewal is no new request, and is never refused for lack of room.
    private bool HasRoom(DeviceSwap swap, long now)
    {
        foreach (PairingRequest request in swap.Opened.Where(r => swap.Previous?.FindRequest(r.Id) is null))
        {
            var share = PendingShare.Of(request);
            PendingShare[] open = [.. _requests.Values.Where(r => r.OpenUntil > now).Select(r => r.Share)];
            if (open.Length >= swap.Limits.InAll
                || open.Count(o => o.Address == share.Address) >= swap.Limits.PerAddress
                || (share.Subnet is not null && open.Count(o => o.Subnet == share.Subnet) >= swap.Limits.PerSubnet)
                || (share.Strangers is { } locality && open.Count(o => o.Strangers == locality) >= swap.Limits.OfStrangers(locality)))
                return false;
        }

        return true;
    }

    // Null if there is room; then it is counted.
    private SwapResult? TryPair(RulePairing pairing, DeviceId device, long now)
    {
        long since = now - (long)RulePairing.Window.TotalMilliseconds;
        foreach ((string, DeviceId) past in _pairings.Where(p => p.Value <= since).Select(p => p.Key).ToArray())
            _pairings.Remove(past);
        if (_pairings.Keys.Count(p => p.Rule == pairing.Rule && p.Device != device) >= pairing.MaxPerHour)
            return SwapResult.TooManyOfRule;
        if (_devices.Values.Count(d => d.IsByRulesAlone) >= pairing.MaxInAll)
            return SwapResult.TooManyByRules;
        _pairings[(pairing.Rule, device)] = now;
        return null;
    }

    private void Put(DeviceRecord record, DateTimeOffset? expiresAt)
    {
        // the stored time is newer than the one that was read
        long? seenAt = Remove(record.Id)?.SeenAt ?? record.LastSeenAt?.ToUnixTimeMilliseconds();
        var entry = new Entry
        {
            Document = DeviceDocument.Serialize(record),
            Version = record.Version,
            ExpiresAt = expiresAt?.ToUnixTimeMilliseconds(),
            IsListed = record.IsListed,
            IsByRulesAlone = record.IsByRulesAlone,
            Requests = [.. record.Requests.Select(r => r.Id)],
            SeenAt = record.IsListed ? seenAt : null,
        };
        _devices[record.Id] = entry;
        if (entry.ExpiresAt is { } at)
            _expiries.Add((at, record.Id.ToString()));
        foreach (PairingRequest request in record.Requests)
        {
            long? openUntil = request.Status == PairingRequestStatus.Open ? request.ExpiresAt.ToUnixTimeMilliseconds() : null;
            _requests[request.Id] = new IndexedRequest(record.Id, PendingShare.Of(request), openUntil);
        }
    }

    private Entry? Remove(DeviceId id)
    {
        if (!_devices.Remove(id, out Entry? entry))
            return null;
        if (entry.ExpiresAt is { } at)
            _expiries.Remove((at, id.ToString()));
        foreach (RequestId request in entry.Requests)
            _requests.Remove(request);
        return entry;
    }

    private void Forget(long now)
    {
        while (_expiries.Count > 0 && _expiries.Min is var (at, device) && at <= now)
            Remove(DeviceId.Parse(device));
    }

    private IEnumerable<SharedDocument> SharedIn(string group, DateTimeOffset now) => _shared.Values.Where(d => d.Group == group && d.ExpiresAt > now);

    private bool SwapShared(string? previousVersion, SharedDocument next, DateTimeOffset now)
    {
        foreach (SharedDocument expired in _shared.Values.Where(d => d.ExpiresAt <= now).ToArray())
            _shared.Remove((expired.Group, expired.Name));
        if (_shared.GetValueOrDefault((next.Group, next.Name))?.Version != previousVersion)
            return false;
        if (previousVersion is null && SharedIn(next.Group, now).Count() >= SharedDocument.MaxInGroup)
            throw new RegistryUnavailableException($"There are too many documents of the group {next.Group}.");
        _shared[(next.Group, next.Name)] = next;
        return true;
    }

    private void TellAlive(Listener listener)
    {
        if (_isAvailable && !_isDisposed)
            listener.Tell(new Announcement.Alive());
    }

    // One document that cannot be read must not hide the others.
    private PagedResult<T> PageOf<TId, T>(IEnumerable<(TId Id, DeviceId Device)> ordered, int limit, Func<TId, DeviceRecord, T?> itemOf)
        where TId : notnull
        where T : class
    {
        var items = new List<T>();
        var newer = new List<NewerDocument>();
        string? last = null;
        foreach ((TId id, DeviceId device) in ordered)
        {
            T? item = null;
            NewerDocument? document = null;
            try
            {
                item = itemOf(id, _devices[device].Read(device));
            }
            catch (NewerDocumentException e)
            {
                document = e.Document;
            }
            catch (DamagedDocumentException e)
            {
                _logger.LogWarning(e, "The document of device {Device} is damaged. The device is left out of lists.", device);
            }

            if (item is null && (document is null || newer.Contains(document)))
                continue;
            if (items.Count + newer.Count == limit)
                return new PagedResult<T>(items, last) { Newer = newer };
            if (item is not null)
                items.Add(item);
            else
                newer.Add(document!);
            last = id.ToString();
        }

        return new PagedResult<T>(items, Next: null) { Newer = newer };
    }

    private readonly record struct IndexedRequest(DeviceId Device, PendingShare Share, long? OpenUntil);

    private sealed class Entry
    {
        public required byte[] Document { get; set; }

        public required string Version { get; init; }

        public required long? ExpiresAt { get; init; }

        public required bool IsListed { get; init; }

        public required bool IsByRulesAlone { get; init; }

        public required RequestId[] Requests { get; init; }

        public required long? SeenAt { get; set; }

        public DeviceRecord Read(DeviceId id) => DeviceDocument.Deserialize(Document, id, Version) with { LastSeenAt = TimeOf(SeenAt) };

        public StoredDocument ReadStored(DeviceId id) => new(Read(id), TimeOf(ExpiresAt));

        public bool IsDamaged(DeviceId id)
        {
            try
            {
                _ = Read(id);
                return false;
            }
            catch (UnreadableDocumentException e)
            {
                return e is DamagedDocumentException; // a document of a newer format is not damaged
            }
        }

        private static DateTimeOffset? TimeOf(long? milliseconds) =>
            milliseconds is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null;
    }

    /// <summary>The announcements that a listener has not read yet; past <see cref="MostUnheard"/> it gets a gap instead.</summary>
    private sealed class Listener
    {
        private int _missed;

        public Channel<Announcement> Announcements { get; } = Channel.CreateBounded<Announcement>(MostUnheard);

        public void Tell(Announcement announcement)
        {
            if (!Announcements.Writer.TryWrite(announcement))
                Volatile.Write(ref _missed, 1);
        }

        public bool HasMissedSome() => Interlocked.Exchange(ref _missed, 0) == 1;
    }
}
