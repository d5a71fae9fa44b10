using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

/// <summary>A store of one device, whose every step can be looked at and interfered with.</summary>
internal sealed class OneDeviceStore : IDeviceStore
{
    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 11, 22, 10, 0, 0, TimeSpan.Zero));

    public DeviceRecord? Record { get; set; }

    public int Reads { get; private set; }

    public int Writes { get; private set; }

    /// <summary>Called once what is to be answered was read.</summary>
    public Func<Task>? AfterRead { get; set; }

    public Action? BeforeSwap { get; set; }

    public DeviceSwap? LastSwap { get; private set; }

    public bool IsUnconfirmed { get; set; }

    public SwapResult Answer { get; set; } = SwapResult.Swapped;

    public async ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken)
    {
        Reads++;
        var read = new StoredDevice(Record, Time.GetUtcNow());
        if (AfterRead is not null)
            await AfterRead();
        return read;
    }

    public ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken)
    {
        BeforeSwap?.Invoke();
        if (Record?.Version != swap.Previous?.Version)
            return ValueTask.FromResult(SwapResult.Conflict);
        if (Answer == SwapResult.Swapped)
        {
            Writes++;
            Record = swap.Next;
            LastSwap = swap;
            if (IsUnconfirmed)
                throw new RegistryUnavailableException("made, not confirmed") { ChangeWasMade = true };
        }

        return ValueTask.FromResult(Answer);
    }

    public ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Record?.FindRequest(id)?.DeviceId);

    public ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public IAsyncEnumerable<Announcement> ListenAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask PingAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
