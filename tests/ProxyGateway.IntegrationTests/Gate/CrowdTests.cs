using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.Sqlite;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>More devices come at once than can be decided on at once.</summary>
public sealed class CrowdTests : IAsyncLifetime
{
    private const int TooMany = 3;

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gate-");
    private readonly List<DeviceId> _came = [];
    private HoldingStore _store = null!;
    private TestGateway _gateway = null!;

    public async Task InitializeAsync()
    {
        _store = HoldingStore.Before(SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path.Combine(_folder.FullName, "registry.db") }, _time));
        _gateway = await TestGateway.StartAsync(SharedGateway.Generous, services: s => s.AddSingleton<IDeviceStore>(_store), time: _time);
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_device_that_waits_too_long_for_its_turn_gets_try_again_later()
    {
        FrameConnection[] asked = await ComeAsync(DecisionQueue.MaxUnderWay);
        FrameConnection[] waiting = await ComeAsync(TooMany);
        _store.Held.Count.ShouldBe(DecisionQueue.MaxUnderWay, "or nobody had to wait");

        _time.Advance(TimeSpan.FromSeconds(11));

        foreach (FrameConnection client in waiting)
        {
            Outcome outcome = await TestClient.OutcomeAsync(client);
            outcome.ShouldBeClosed(1013, "try again later");
            outcome.Error.GetProperty("code").GetString().ShouldBe("UNAVAILABLE");
            outcome.Error.GetProperty("retryable").GetBoolean().ShouldBeTrue();
            outcome.Error.GetProperty("retryAfterMs").GetInt64().ShouldBePositive();
        }

        // It did not answer these in all that time.
        _store.GoOn();
        foreach (FrameConnection client in asked)
            (await TestClient.OutcomeAsync(client)).ShouldBeClosed(1013, "registry unavailable");
        _gateway.Decisions.Waiting.ShouldBe(0);
        _gateway.Sessions.Count.ShouldBe(0);
        (await TestClient.ConnectAsync(_gateway.Port, new TestDevice())).ShouldBeAdmitted();
    }

    [Fact]
    public async Task Devices_are_decided_in_the_order_in_which_they_came()
    {
        FrameConnection[] first = await ComeAsync(DecisionQueue.MaxUnderWay);
        FrameConnection[] later = await ComeAsync(TooMany);

        // One read after the other is answered, and each time the next in the queue asks.
        for (int i = 0; i < TooMany; i++)
        {
            _store.Answer(_store.Asked[i]);
            await Eventually.HoldsAsync(() => Task.FromResult(_store.Asked.Count == DecisionQueue.MaxUnderWay + i + 1), "the next one's turn");
        }

        _store.GoOn();
        foreach (FrameConnection client in (FrameConnection[])[.. first, .. later])
            (await TestClient.OutcomeAsync(client)).ShouldBeAdmitted();
        _store.Asked.TakeLast(TooMany).ShouldBe(_came.TakeLast(TooMany));
    }

    private async Task<FrameConnection[]> ComeAsync(int count)
    {
        var clients = new List<FrameConnection>();
        while (clients.Count < count)
        {
            var device = new TestDevice();
            _came.Add(device.Id);
            clients.Add(await TestClient.AskAsync(_gateway.Port, device, new Ask { SignedAt = _time.GetUtcNow() }));
            await Eventually.HoldsAsync(() => Task.FromResult(_store.Asked.Count + _gateway.Decisions.Waiting == _came.Count), "the device has come to its turn, or waits for it");
        }

        return [.. clients];
    }

    /// <summary>A store whose reads are answered when the test says so.</summary>
    private sealed class HoldingStore(IDeviceStore inner) : DelegatingStore(inner)
    {
        private readonly TaskCompletionSource _goesOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly List<DeviceId> _asked = [];

        public static HoldingStore Before(IDeviceStore inner) => new(inner);

        public ConcurrentDictionary<DeviceId, TaskCompletionSource> Held { get; } = [];

        /// <summary>Who was asked for, in order.</summary>
        public IReadOnlyList<DeviceId> Asked
        {
            get
            {
                lock (_asked)
                    return [.. _asked];
            }
        }

        public void Answer(DeviceId id) => Held[id].SetResult();

        public void GoOn() => _goesOn.SetResult();

        public override async ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken)
        {
            if (!_goesOn.Task.IsCompleted)
            {
                TaskCompletionSource held = Held.GetOrAdd(id, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
                lock (_asked)
                    _asked.Add(id);
                await Task.WhenAny(held.Task, _goesOn.Task); // not given up either, so that it stays under way
            }

            return await base.GetAsync(id, cancellationToken);
        }
    }
}
