using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>A store that wraps another, for tests that interfere with some of its calls.</summary>
internal abstract class DelegatingStore(IDeviceStore inner) : IReplayStore
{
    public virtual ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken) =>
        inner.GetAsync(id, cancellationToken);

    public DateTimeOffset? RemembersSince => (inner as IReplayStore)?.RemembersSince;

    public virtual ValueTask<StoredDevice> GetAsync(DeviceId id, UseOnce once, CancellationToken cancellationToken) =>
        ((IReplayStore)inner).GetAsync(id, once, cancellationToken);

    public virtual ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken) =>
        inner.SwapAsync(swap, cancellationToken);

    public ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken) =>
        inner.FindRequestAsync(id, cancellationToken);

    public virtual ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        inner.ListDevicesAsync(cursor, limit, cancellationToken);

    public virtual ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        inner.ListOpenRequestsAsync(cursor, limit, cancellationToken);

    public ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken) =>
        inner.GetVersionsAsync(ids, cancellationToken);

    public IAsyncEnumerable<Announcement> ListenAsync(CancellationToken cancellationToken) => inner.ListenAsync(cancellationToken);

    public virtual ValueTask PingAsync(CancellationToken cancellationToken) => inner.PingAsync(cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
