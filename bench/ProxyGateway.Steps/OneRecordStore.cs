using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Steps;

/// <summary>A store that costs nothing: it has one record, and can do nothing but give it out.</summary>
internal sealed class OneRecordStore(DeviceRecord record) : IDeviceStore
{
    private readonly StoredDevice _stored = new(record, DateTimeOffset.UtcNow);

    public ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken) => ValueTask.FromResult(_stored);

    public ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public IAsyncEnumerable<Announcement> ListenAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask PingAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
