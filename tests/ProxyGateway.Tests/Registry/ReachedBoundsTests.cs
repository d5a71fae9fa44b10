using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

public sealed class ReachedBoundsTests
{
    [Fact]
    public async Task A_reached_bound_is_logged_at_once_and_again_while_it_lasts()
    {
        var time = new FakeTimeProvider();
        var lines = new Lines();
        await using var store = new FullStore();
        var registry = new DeviceRegistry(store);
        var bounds = new ReachedBounds(registry, time, lines);
        await bounds.StartAsync(default);

        await AskAsync(3);
        lines.Texts.ShouldHaveSingleItem().ShouldContain("Rule loopback has paired 1000 devices within an hour");
        store.Answer = SwapResult.TooManyByRules;
        await AskAsync(3);
        lines.Texts.Count.ShouldBe(2);
        lines.Texts[1].ShouldContain("Rules have paired 100000 devices in all");

        time.Advance(ReachedBounds.Pace);
        await AskAsync(3);
        lines.Texts.Count.ShouldBe(3);
        await bounds.StopAsync(default);
        time.Advance(ReachedBounds.Pace);
        await AskAsync(1);
        lines.Texts.Count.ShouldBe(3);

        async Task AskAsync(int times)
        {
            for (int i = 0; i < times; i++)
                (await registry.AdmitAsync(Some.Claim(), Some.Loopback, Some.Rules with { Policy = PairingPolicy.Default }, default)).ShouldBeOfType<Admission.Refused>();
        }
    }

    private sealed class Lines : ILogger<ReachedBounds>
    {
        public List<string> Texts { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            logLevel.ShouldBe(LogLevel.Error);
            Texts.Add(formatter(state, exception));
        }
    }

    /// <summary>A store in which no rule finds room.</summary>
    private sealed class FullStore : IDeviceStore
    {
        public SwapResult Answer { get; set; } = SwapResult.TooManyOfRule;

        public ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken) => ValueTask.FromResult(new StoredDevice(record: null, DateTimeOffset.UnixEpoch));

        public ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken) =>
            ValueTask.FromResult(swap.Pairing is null ? SwapResult.Swapped : Answer);

        public ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken) => throw new NotSupportedException();

        public IAsyncEnumerable<Announcement> ListenAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask PingAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
