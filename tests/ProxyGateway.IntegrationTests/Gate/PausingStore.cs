using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A store in which one read can be held up after it has read, as a slow network would.</summary>
internal sealed class PausingStore(IDeviceStore inner) : IDeviceStore
{
    private readonly TaskCompletionSource _paused = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _continue = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _armed;

    /// <summary>Completes once a read is held up.</summary>
    public Task Paused => _paused.Task;

    public void PauseAfterNextRead() => _armed = 1;

    public void Continue() => _continue.SetResult();

    public async ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken)
    {
        StoredDevice stored = await inner.GetAsync(id, cancellationToken);
        if (Interlocked.Exchange(ref _armed, 0) == 1)
        {
            _paused.SetResult();
            await _continue.Task.WaitAsync(cancellationToken);
        }

        return stored;
    }

    public ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken) => inner.SwapAsync(swap, cancellationToken);

    public ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken) => inner.FindRequestAsync(id, cancellationToken);

    public ValueTask<Page<DeviceRecord>> ListPairedAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        inner.ListPairedAsync(cursor, limit, cancellationToken);

    public ValueTask<Page<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        inner.ListOpenRequestsAsync(cursor, limit, cancellationToken);

    public ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken) =>
        inner.GetVersionsAsync(ids, cancellationToken);

    public IAsyncEnumerable<Announcement> ListenAsync(CancellationToken cancellationToken) => inner.ListenAsync(cancellationToken);

    public ValueTask PingAsync(CancellationToken cancellationToken) => inner.PingAsync(cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
