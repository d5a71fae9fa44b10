using System.Runtime.CompilerServices;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>A store whose every call fails.</summary>
internal sealed class FailingStore(Func<Exception> failure) : IDeviceStore
{
    public ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken) => throw failure();

    public ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken) => throw failure();

    public ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken) => throw failure();

    public ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken) => throw failure();

    public ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken) => throw failure();

    public ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken) =>
        throw failure();

    public async IAsyncEnumerable<Announcement> ListenAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
        yield break;
    }

    public ValueTask PingAsync(CancellationToken cancellationToken) => throw failure();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
