using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// The registry in Redis, for any number of gateways. The document of a device is the truth; the indexes beside it are hints in slots of
/// their own, written before the document and repaired by their readers.
/// </summary>
public sealed class RedisDeviceStore : ICopyableDeviceStore, IReplayStore, ILastSeenStore, IAuditStore, ISharedDocumentStore
{
    private const int ReadAtOnce = 256;

    /// <summary>An index entry without its document may be about to be written; after this time the writer has given up.</summary>
    internal static readonly TimeSpan GivenUpAfter = TimeSpan.FromSeconds(10);

    // Connecting has a separate time-out, and at a start everything is compiled first.
    private static readonly TimeSpan LongestStart = TimeSpan.FromSeconds(5);

    private readonly TimeSpan _timeout;
    private readonly ILogger _logger;
    private readonly RedisConnection _redis;
    private readonly Documents _documents;
    private readonly OpenRequests _openRequests;
    private readonly PairedDevices _pairedDevices;
    private readonly RulePairings _rulePairings;
    private readonly Announcements _announcements;
    private readonly AuditStreams _audit;
    private readonly Contents _contents;
    private readonly SharedGroups _shared;
    private readonly RegistryMark _mark;
    private readonly Replicas? _replicas; // null: no change waits for replicas

    /// <summary>Begins to connect, and retries for as long as it takes.</summary>
    /// <param name="options">The address of Redis, and how it is used.</param>
    /// <param name="logger">The log of lost connections.</param>
    /// <exception cref="ArgumentException">The options are invalid; the message says why.</exception>
    public RedisDeviceStore(RedisStoreOptions options, ILogger<RedisDeviceStore> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        var keys = new Keys(options.KeyPrefix);
        _timeout = options.Timeout;
        _logger = logger;
        _redis = new RedisConnection(options, logger);
        _documents = new Documents(_redis, keys);
        _openRequests = new OpenRequests(_redis, keys, _documents);
        _pairedDevices = new PairedDevices(_redis, keys, _documents);
        _rulePairings = new RulePairings(_redis, keys, _documents);
        _mark = new RegistryMark(_redis, keys);
        _announcements = new Announcements(_redis, keys, _mark, options.Timeout, logger);
        _audit = new AuditStreams(_redis, keys, options.AuditEntries, options.AuditBytes);
        _contents = new Contents(_redis, keys, _documents, _openRequests, _pairedDevices, _rulePairings);
        _shared = new SharedGroups(_redis, keys);
        _replicas = options.WaitForReplicas > 0
            ? new Replicas(new RedisConnection(options, NullLogger.Instance), keys, options.WaitForReplicas)
            : null;
    }

    /// <inheritdoc/>
    public async ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken)
    {
        var deadline = new Deadline(_timeout);
        await _mark.EnsureAsync(deadline, cancellationToken);
        return await _documents.GetAsync(id, deadline, cancellationToken);
    }

    /// <inheritdoc/>
    public DateTimeOffset? RemembersSince => null;

    /// <inheritdoc/>
    public async ValueTask<StoredDevice> GetAsync(DeviceId id, UseOnce once, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(once);
        var deadline = new Deadline(_timeout);
        await _mark.EnsureAsync(deadline, cancellationToken);
        return await _documents.GetAsync(id, once, deadline, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(swap);
        var deadline = new Deadline(_timeout);
        await _mark.EnsureAsync(deadline, cancellationToken);
        bool toBeConfirmed = _replicas is not null && swap.IsRestriction;
        bool documentIsUntouched = true;
        string? lineage;
        try
        {
            if (!await _openRequests.EnterAsync(swap, deadline, cancellationToken))
            {
                await TryAsync(() => WithdrawAsync(swap, deadline));
                return SwapResult.TooManyRequests;
            }

            if (await _rulePairings.EnterAsync(swap, deadline, cancellationToken) is { } tooMany)
            {
                // if there was no room, nothing was entered
                await TryAsync(() => _rulePairings.WithdrawAsync(swap, isConflict: true, deadline));
                return tooMany;
            }

            if (swap.Next.IsListed && swap.Previous is not { IsListed: true })
                await _pairedDevices.EnterAsync(swap.Id, deadline, cancellationToken);
            documentIsUntouched = false;
            lineage = await _documents.SwapAsync(swap, toBeConfirmed, deadline, cancellationToken);
        }
        catch (Exception e) when (documentIsUntouched || e.InnerException is RedisServerException)
        {
            // Redis was not asked, or refused. Without an answer it may have written the document, and its request must stay in the index.
            await TryAsync(() => WithdrawAsync(swap, deadline));
            throw;
        }

        if (lineage is null or Documents.UsedBefore)
        {
            await TryAsync(() => WithdrawAsync(swap, deadline, isConflict: lineage is null));
            return lineage is null ? SwapResult.Conflict : SwapResult.UsedBefore;
        }

        await Task.WhenAll(
            TryAsync(() => SettleAsync(swap, deadline)),
            toBeConfirmed ? _replicas!.ConfirmAsync(swap.Id, lineage, deadline) : Task.CompletedTask);
        return SwapResult.Swapped;
    }

    /// <inheritdoc/>
    public async ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken)
    {
        var deadline = new Deadline(_timeout);
        await _mark.EnsureAsync(deadline, cancellationToken);
        return await _openRequests.FindAsync(id, deadline, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        var deadline = new Deadline(_timeout);
        await _mark.EnsureAsync(deadline, cancellationToken);
        var found = new List<DeviceRecord>();
        var newer = new List<NewerDocument>();
        RedisValue after = cursor;
        string? last = null;
        while (true)
        {
            int count = Math.Min(limit + 1 - found.Count - newer.Count, ReadAtOnce);
            RedisValue[] members = await _pairedDevices.Set.ListAsync(after, count, deadline, cancellationToken);
            var ids = new List<DeviceId>();
            foreach (RedisValue member in members)
            {
                if (DeviceId.TryParse(member, out DeviceId id))
                    ids.Add(id);
                else
                    await ExpelAsync(member, () => _pairedDevices.Set.ExpelAsync(member, deadline, cancellationToken));
            }

            FoundDocument[] documents = await _documents.GetAsync(ids, deadline, cancellationToken);
            foreach ((DeviceId id, FoundDocument document) in ids.Zip(documents))
            {
                if (document.Record is { IsListed: true } || document.Newer is not null)
                {
                    if (found.Count + newer.Count == limit)
                        return new PagedResult<DeviceRecord>(found, last) { Newer = newer };
                    last = id.ToString();
                    if (document.Newer is { } other)
                        newer.Add(other);
                    else
                        found.Add(document.Record!);
                }
                else if (document.Damage is { } damage)
                {
                    Log.DamagedDocument(_logger, id, damage);
                }
                else
                {
                    await TryAsync(() => _pairedDevices.RemoveAsync(id, deadline, cancellationToken));
                }
            }

            if (members.Length < count)
                return new PagedResult<DeviceRecord>(found, Next: null) { Newer = newer };
            after = members[^1];
        }
    }

    /// <inheritdoc/>
    public async ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(
        string? cursor, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        var deadline = new Deadline(_timeout);
        await _mark.EnsureAsync(deadline, cancellationToken);
        var found = new List<PairingRequest>();
        var newer = new List<NewerDocument>();
        string? last = null;
        OpenMembers open = await _openRequests.ListAsync(deadline, cancellationToken);
        foreach (RedisValue member in open.Foreign)
        {
            await ExpelAsync(member, () => _openRequests.ExpelAsync(member, deadline, cancellationToken));
        }

        IEnumerable<PendingMember> older = open.Members.Where(m => cursor is null || string.CompareOrdinal(m.Request.ToString(), cursor) < 0);
        foreach (PendingMember[] chunk in older.Chunk(Math.Min(limit + 1, ReadAtOnce)))
        {
            FoundDocument[] documents = await _documents.GetAsync(chunk.Select(m => m.Device), deadline, cancellationToken);
            foreach ((PendingMember member, FoundDocument document) in chunk.Zip(documents))
            {
                PairingRequest? request = document.Record?.FindRequest(member.Request);
                if (request?.IsOpen(open.Now) == true || (document.Newer is not null && !newer.Contains(document.Newer)))
                {
                    if (found.Count + newer.Count == limit)
                        return new PagedResult<PairingRequest>(found, last) { Newer = newer };
                    last = member.Request.ToString();
                    if (document.Newer is { } other)
                        newer.Add(other);
                    else
                        found.Add(request!);
                }
                else if (document.Damage is DamagedDocumentException damage)
                {
                    Log.DamagedDocument(_logger, member.Device, damage);
                }
                else if (document.Damage is null && IsLeftBehind(member, request, open.Now))
                {
                    await TryAsync(() => request is null
                        ? _openRequests.LeaveAsync(member, deadline, cancellationToken)
                        : _openRequests.LeaveAsync(request, deadline, cancellationToken));
                }
            }
        }

        return new PagedResult<PairingRequest>(found, Next: null) { Newer = newer };
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(
        IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var deadline = new Deadline(_timeout);
        await _mark.EnsureAsync(deadline, cancellationToken);
        return await _documents.GetVersionsAsync(ids, deadline, cancellationToken);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<Announcement> ListenAsync(CancellationToken cancellationToken) => _announcements.ListenAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask PingAsync(CancellationToken cancellationToken)
    {
        var deadline = new Deadline(_timeout);
        await _redis.RunAsync(database => database.PingAsync(RedisConnection.Primary), deadline, cancellationToken);
        await _mark.RenewAsync(deadline, cancellationToken);
        await _mark.EnsureAsync(deadline, cancellationToken);
    }

    /// <summary>
    /// Connects, and reads a device that does not exist, so that the first handshake does not spend its time on connecting and compiling.
    /// Redis need not be up.
    /// </summary>
    internal async Task WarmUpAsync(CancellationToken cancellationToken)
    {
        try
        {
            var deadline = new Deadline(_timeout + LongestStart);
            await _mark.EnsureAsync(deadline, cancellationToken);
            await _documents.GetAsync(DeviceId.Of(RandomNumberGenerator.GetBytes(32)), deadline, cancellationToken);
        }
        catch (RegistryUnavailableException)
        {
            // The connection has logged why; the gateway still starts, and admits nobody.
        }
    }

    /// <inheritdoc/>
    public async ValueTask NoteSeenAsync(IReadOnlyList<SeenDevice> devices, CancellationToken cancellationToken)
    {
        var deadline = new Deadline(_timeout);
        await _mark.EnsureAsync(deadline, cancellationToken);
        await _documents.NoteSeenAsync(devices, deadline, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<AuditReceipt> AppendAsync(AuditBatch batch, CancellationToken cancellationToken)
    {
        var deadline = new Deadline(_timeout);
        await _mark.EnsureAsync(deadline, cancellationToken);
        return await _audit.AppendAsync(batch, deadline, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<AuditPage> ListAsync(AuditFilter filter, long? before, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        return await _audit.ListAsync(filter, before, limit, new Deadline(_timeout), cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<AuditRange> ReadAfterAsync(long id, int limit, CancellationToken cancellationToken) =>
        await _audit.ReadAfterAsync(id, limit, new Deadline(_timeout), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<SharedDocuments> ListAsync(string group, CancellationToken cancellationToken)
    {
        var deadline = new Deadline(_timeout);
        await _mark.EnsureAsync(deadline, cancellationToken);
        return await _shared.ListAsync(group, deadline, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> SwapAsync(string? previousVersion, SharedDocument next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        var deadline = new Deadline(_timeout);
        await _mark.EnsureAsync(deadline, cancellationToken);
        return await _shared.SwapAsync(previousVersion, next, deadline, cancellationToken);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredDocument> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await _mark.EnsureAsync(new Deadline(_timeout), cancellationToken);
        await foreach (StoredDocument document in _contents.ReadAsync(_timeout, cancellationToken))
            yield return document;
    }

    /// <inheritdoc/>
    public async Task WriteAllAsync(IAsyncEnumerable<StoredDocument> documents, CancellationToken cancellationToken)
    {
        await _mark.EnsureAsync(new Deadline(_timeout), cancellationToken);
        await _contents.WriteAsync(documents, _timeout, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _redis.DisposeAsync();
        if (_replicas is not null)
            await _replicas.DisposeAsync();
    }

    // A resolved request never opens again, so removing it cannot be wrong. An expired one disappears by itself.
    private static bool IsLeftBehind(PendingMember member, PairingRequest? request, DateTimeOffset now) =>
        request is null ? now - member.Request.CreatedAt > GivenUpAfter : request.Status != PairingRequestStatus.Open;

    /// <summary>After a failed swap: removes its index entries.</summary>
    private Task WithdrawAsync(DeviceSwap swap, Deadline deadline, bool isConflict = false) => Task.WhenAll(
        _openRequests.WithdrawAsync(swap, deadline),
        _rulePairings.WithdrawAsync(swap, isConflict, deadline),
        swap.Next.IsListed && swap.Previous is not { IsListed: true }
            ? _pairedDevices.RemoveAsync(swap.Id, deadline, CancellationToken.None)
            : Task.CompletedTask);

    /// <summary>After a swap: brings the indexes up to date.</summary>
    private async Task SettleAsync(DeviceSwap swap, Deadline deadline)
    {
        await Task.WhenAll(swap.Closed.Select(request => _openRequests.LeaveAsync(request, deadline, CancellationToken.None))
            .Append(_rulePairings.SettleAsync(swap, deadline)));
        if (swap.Next.IsListed)
            // also if it was paired before: this repairs the index
            await _pairedDevices.Set.AddAsync([swap.Id], deadline, CancellationToken.None);
        else if (swap.Previous is { IsListed: true })
            await _pairedDevices.RemoveAsync(swap.Id, deadline, CancellationToken.None);
    }

    private Task ExpelAsync(RedisValue member, Func<Task> expel)
    {
        Log.ForeignMember(_logger, member.ToString());
        return TryAsync(expel);
    }

    /// <summary>Does an update that is only a hint: the document is decided, whether or not this succeeds.</summary>
    private async Task TryAsync(Func<Task> update)
    {
        try
        {
            await update();
        }
        catch (RegistryUnavailableException e)
        {
            Log.IndexLeftBehind(_logger, e);
        }
    }
}
