using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Registry.Interleaving;

/// <summary>A gateway's store: writes down what it reads and swaps, and waits for its turn before each call if it is to.</summary>
internal sealed class RecordingStore(IDeviceStore inner, Func<Task<Fate>>? turn, Func<Task<DateTimeOffset>> nowAsync) : IDeviceStore
{
    /// <summary>On whose account the calls are.</summary>
    public required Performance By { get; set; }

    public async ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken)
    {
        int start = By.History.Tick();
        StoredDevice stored = await StepAsync(() => inner.GetAsync(id, cancellationToken));
        By.Reads.Add(new Read(id, stored.Record, stored.Now, start));
        return stored;
    }

    public async ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken)
    {
        var attempt = new Attempt(By, By.Reads[^1], swap);
        By.Attempts.Add(attempt);
        SwapResult result = await StepAsync(() => inner.SwapAsync(swap, cancellationToken));
        (attempt.Result, attempt.Latest, attempt.End) = (result, await nowAsync(), By.History.Tick());
        return result;
    }

    public ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken) =>
        StepAsync(() => inner.FindRequestAsync(id, cancellationToken));

    public ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        StepAsync(() => inner.ListDevicesAsync(cursor, limit, cancellationToken));

    public ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        StepAsync(() => inner.ListOpenRequestsAsync(cursor, limit, cancellationToken));

    public ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken) =>
        StepAsync(() => inner.GetVersionsAsync(ids, cancellationToken));

    public IAsyncEnumerable<Announcement> ListenAsync(CancellationToken cancellationToken) => inner.ListenAsync(cancellationToken);

    public ValueTask PingAsync(CancellationToken cancellationToken) => inner.PingAsync(cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async ValueTask<T> StepAsync<T>(Func<ValueTask<T>> call)
    {
        Fate fate = turn is null ? Fate.Lives : await turn();
        if (fate == Fate.DiesBefore)
            throw new RegistryUnavailableException("The gateway died.");
        T result = await call();
        return fate == Fate.Lives ? result : throw new RegistryUnavailableException("The gateway died.");
    }
}
