using System.Collections.Concurrent;
using System.Threading.Channels;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Sessions;

/// <summary>A store that other gateways seem to share: what they write and what they announce is the test's to say.</summary>
internal sealed class AnnouncingStore : IDeviceStore
{
    private readonly Channel<(Announcement Announcement, TaskCompletionSource Taken)> _announcements = Channel.CreateUnbounded<(Announcement, TaskCompletionSource)>();
    private TaskCompletionSource _reading = new();
    private int _reads;

    public AnnouncingStore() => _reading.SetResult();

    public ConcurrentDictionary<DeviceId, DeviceRecord> Records { get; } = [];

    /// <summary>Devices whose records cannot be read.</summary>
    public ConcurrentDictionary<DeviceId, bool> Unreadable { get; } = [];

    public bool HasVersions { get; set; } = true;

    public Exception? Fault { get; set; }

    public int Reads => Volatile.Read(ref _reads);

    public int LargestBatch { get; private set; }

    public void Write(DeviceRecord record) => Records[record.Id] = record;

    /// <summary>Reads take what is there, and give it back once this is completed.</summary>
    public TaskCompletionSource HoldReads() => _reading = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task AnnounceAsync(DeviceId device, string version) => AnnounceAsync(new Announcement.Changed(device, version));

    /// <summary>Announces, and waits until that has been acted upon, as far as that is done at once.</summary>
    public async Task AnnounceAsync(Announcement announcement)
    {
        var taken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await _announcements.Writer.WriteAsync((announcement, taken));
        await taken.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    public async IAsyncEnumerable<Announcement> ListenAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach ((Announcement announcement, TaskCompletionSource taken) in _announcements.Reader.ReadAllAsync(cancellationToken))
        {
            yield return announcement;
            taken.SetResult();
        }
    }

    public async ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken)
    {
        DeviceRecord? record = Records.GetValueOrDefault(id);
        Interlocked.Increment(ref _reads);
        if (Fault is not null)
            throw Fault;
        if (Unreadable.ContainsKey(id))
            throw new RegistryUnavailableException("away");
        await _reading.Task.WaitAsync(cancellationToken);
        return new StoredDevice(record, DateTimeOffset.UnixEpoch);
    }

    public ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken)
    {
        if (!HasVersions)
            throw new RegistryUnavailableException("away");
        LargestBatch = Math.Max(LargestBatch, ids.Count);
        return ValueTask.FromResult<IReadOnlyDictionary<DeviceId, string?>>(
            ids.Where(id => !Unreadable.ContainsKey(id)).ToDictionary(id => id, id => Records.GetValueOrDefault(id)?.Version));
    }

    public ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask PingAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
