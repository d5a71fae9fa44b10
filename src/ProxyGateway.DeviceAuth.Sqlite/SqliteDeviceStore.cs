using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>
/// The registry in one SQLite file, for one gateway: one writer, and as many readers as threads that read. SQLite has no asynchronous
/// calls; reads come from the page cache, writes are rare and wait for the disk.
/// </summary>
public sealed class SqliteDeviceStore : ICopyableDeviceStore, IReplayStore, ILastSeenStore, IAuditStore, ISharedDocumentStore
{
    private const int ReadAtOnce = 512;
    private static readonly TimeSpan SignOfLife = TimeSpan.FromSeconds(1);

    private readonly RegistryFile _file;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Writer _writer;
    private readonly BackgroundWriter _backgroundWriter;
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly ConcurrentBag<Reader> _readers = [];
    private readonly ReplayMarks _marks;
    private int _disposed;

    private SqliteDeviceStore(RegistryFile file, SqliteStoreOptions options, TimeProvider time, ILogger logger, Func<DiskSpace> disk)
    {
        _file = file;
        _time = time;
        _logger = logger;
        _marks = new ReplayMarks(time);
        _writer = new Writer(file.Connect(), _marks);
        _backgroundWriter = new BackgroundWriter(file.ConnectUnsynced(), options, disk);
    }

    /// <summary>Opens the file, or makes it, and locks it against other processes.</summary>
    /// <param name="options">The path of the file, and the bounds of its audit.</param>
    /// <param name="time">The store's time.</param>
    /// <param name="logger">The log of damaged documents.</param>
    /// <exception cref="RegistryUnavailableException">The file cannot be used; the message names it and says why.</exception>
    public static SqliteDeviceStore Open(SqliteStoreOptions options, TimeProvider time, ILogger<SqliteDeviceStore>? logger = null) =>
        Open(options, time, logger, disk: null);

    // With the disk's free space as a parameter; null: the real one.
    internal static SqliteDeviceStore Open(
        SqliteStoreOptions options, TimeProvider time, ILogger<SqliteDeviceStore>? logger, Func<DiskSpace>? disk)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        logger ??= NullLogger<SqliteDeviceStore>.Instance;
        RegistryFile file = RegistryFile.Open(options.Path, logger);
        try
        {
            return new SqliteDeviceStore(file, options, time, logger, disk ?? (() => DiskSpace.Of(Path.GetFullPath(options.Path))));
        }
        catch (SqliteException e)
        {
            file.Dispose();
            throw Unavailable(e);
        }
    }

    // Whole milliseconds, like the indexes: a request must be open in both or in neither.
    private DateTimeOffset Now => DateTimeOffset.FromUnixTimeMilliseconds(_time.GetUtcNow().ToUnixTimeMilliseconds());

    /// <inheritdoc/>
    public ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken)
    {
        DateTimeOffset now = Now;
        return ValueTask.FromResult(Read(reader => reader.Get(id, now), cancellationToken));
    }

    /// <inheritdoc/>
    /// <remarks>Marks are in memory, since no other process uses the file.</remarks>
    public DateTimeOffset? RemembersSince => _marks.Since;

    /// <inheritdoc/>
    public ValueTask<StoredDevice> GetAsync(DeviceId id, UseOnce once, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(once);
        DateTimeOffset now = Now;
        StoredDevice stored = Read(reader => reader.Get(id, now), cancellationToken);
        return ValueTask.FromResult(stored with { Mark = _marks.Mark(id, once, stored) });
    }

    /// <inheritdoc/>
    public async ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(swap);
        SwapResult result = default;
        await WriteAsync(() => result = _writer.Swap(swap, Now), cancellationToken);
        return result;
    }

    /// <inheritdoc/>
    public ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Read(reader => reader.FindRequest(id), cancellationToken));

    /// <inheritdoc/>
    public ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        return ValueTask.FromResult(Read(reader => reader.ListDevices(cursor, limit), cancellationToken));
    }

    /// <inheritdoc/>
    public ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        DateTimeOffset now = Now;
        return ValueTask.FromResult(Read(reader => reader.ListOpenRequests(cursor, limit, now), cancellationToken));
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(
        IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ids);
        DateTimeOffset now = Now;
        return ValueTask.FromResult<IReadOnlyDictionary<DeviceId, string?>>(
            Read(reader => ids.ToDictionary(id => id, id => reader.Version(id, now)), cancellationToken));
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Announcement> ListenAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return new Announcement.Resumed(); // and never again: no other process can write to the file
        using var timer = new PeriodicTimer(SignOfLife, _time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            if (await IsAliveAsync(cancellationToken))
                yield return new Announcement.Alive();
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<StoredDocument> ReadAllAsync(CancellationToken cancellationToken) =>
        ReadAll(cancellationToken).ToAsyncEnumerable();

    /// <inheritdoc/>
    /// <remarks>In one transaction: all of them or none.</remarks>
    public Task WriteAllAsync(IAsyncEnumerable<StoredDocument> documents, CancellationToken cancellationToken) =>
        WriteAsync(() => _writer.WriteAllAsync(documents, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public ValueTask PingAsync(CancellationToken cancellationToken)
    {
        _ = Read(reader => reader.Ping(), cancellationToken);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask NoteSeenAsync(IReadOnlyList<SeenDevice> devices, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(devices);
        return WriteAsync(() => _backgroundWriter.NoteSeen(devices), cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<AuditReceipt> AppendAsync(AuditBatch batch, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(batch);
        AuditReceipt receipt = default;
        await WriteAsync(() => receipt = _backgroundWriter.Append(batch), cancellationToken);
        return receipt;
    }

    /// <inheritdoc/>
    public ValueTask<AuditPage> ListAsync(AuditFilter filter, long? before, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        return ValueTask.FromResult(Read(reader => reader.Audit.List(filter, before, limit), cancellationToken));
    }

    /// <inheritdoc/>
    public ValueTask<AuditRange> ReadAfterAsync(long id, int limit, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Read(reader => reader.Audit.ReadAfter(id, limit), cancellationToken));

    /// <inheritdoc/>
    public ValueTask<SharedDocuments> ListAsync(string group, CancellationToken cancellationToken)
    {
        DateTimeOffset now = Now;
        return ValueTask.FromResult(Read(reader => new SharedDocuments(reader.ListShared(group, now), now), cancellationToken));
    }

    /// <inheritdoc/>
    public async ValueTask<bool> SwapAsync(string? previousVersion, SharedDocument next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        bool isSwapped = false;
        await WriteAsync(() => isSwapped = _writer.SwapShared(previousVersion, next, Now), cancellationToken);
        return isSwapped;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1)
            return;
        await _writing.WaitAsync(); // a running write ends first
        while (_readers.TryTake(out Reader? reader))
        {
            reader.Dispose();
        }

        _writer.Dispose();
        _backgroundWriter.Dispose();
        _file.Dispose();
        _writing.Release();
    }

    // A page at a time: no reader is held while the caller works.
    private IEnumerable<StoredDocument> ReadAll(CancellationToken cancellationToken)
    {
        List<StoredDocument> page;
        DeviceId? last = null;
        do
        {
            page = Read(reader => reader.ListAll(last, ReadAtOnce, Now), cancellationToken);
            foreach (StoredDocument document in page)
            {
                yield return document;
                last = document.Record.Id;
            }
        }
        while (page.Count == ReadAtOnce);
    }

    // If there are no other writes, this deletes expired documents.
    private async Task<bool> IsAliveAsync(CancellationToken cancellationToken)
    {
        try
        {
            DateTimeOffset now = Now;
            if (Read(reader => reader.HasExpired(now), cancellationToken))
                await WriteAsync(() => _writer.Forget(now), cancellationToken);
            return true;
        }
        catch (RegistryUnavailableException)
        {
            return false; // the read that needs it logs why
        }
    }

    private ValueTask WriteAsync(Action write, CancellationToken cancellationToken) => new(WriteAsync(
        () =>
        {
            write();
            return Task.CompletedTask;
        },
        cancellationToken));

    private async Task WriteAsync(Func<Task> write, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            ThrowIfDisposed();
            await write();
        }
        catch (SqliteException e)
        {
            throw Unavailable(e);
        }
        finally
        {
            _writing.Release();
        }
    }

    private T Read<T>(Func<Reader, T> read, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ThrowIfDisposed();
        Reader? reader = null;
        try
        {
            if (!_readers.TryTake(out reader))
                reader = new Reader(_file.Connect(), _logger);
            T result = read(reader);
            if (_disposed == 0)
            {
                _readers.Add(reader);
                reader = null;
            }

            return result;
        }
        catch (SqliteException e)
        {
            throw Unavailable(e);
        }
        finally
        {
            reader?.Dispose(); // a reader that failed is not used again
        }
    }

    private void ThrowIfDisposed()
    {
        if (_disposed == 1)
            throw new RegistryUnavailableException("The registry is closed.");
    }

    private static RegistryUnavailableException Unavailable(Exception e) => new($"The registry's file failed: {e.Message}", e);
}
