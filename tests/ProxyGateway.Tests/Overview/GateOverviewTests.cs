using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Overview;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.Tests.Overview;

/// <summary>What an operator sees is what all gateways have counted, and what is missing is said.</summary>
public sealed class GateOverviewTests : IAsyncDisposable
{
    private static readonly DateTimeOffset Ten = new(2026, 12, 1, 10, 0, 0, TimeSpan.Zero);
    private static readonly AuditEntry Admitted = new() { Kind = AuditKinds.DeviceAdmitted };

    private readonly FakeTimeProvider _time = new(Ten);
    private readonly InMemoryDeviceStore _store;
    private readonly Gateway _here;
    private readonly Gateway _there;

    public GateOverviewTests()
    {
        _store = new InMemoryDeviceStore(_time);
        (_here, _there) = (new Gateway(_store, _time), new Gateway(_store, _time));
    }

    public async ValueTask DisposeAsync()
    {
        await _here.DisposeAsync();
        await _there.DisposeAsync();
        await _store.DisposeAsync();
    }

    [Fact]
    public async Task A_gateway_writes_every_half_minute_and_the_others_add_it_up()
    {
        await _there.Sampler.StartAsync(default);
        _here.Ring.Count(Admitted);
        _there.Ring.Count(Admitted);
        using DeviceSession session = _there.Sessions.TryEnter(Some.Claim(), Some.Origin, limit: 1)!;
        (await _here.ReadAsync()).Admissions.ShouldBe(1);

        OverviewReport report = await AdvanceUntilAsync(r => r.Admissions == 2);

        report.ThisGatewayAlone.ShouldBeNull();
        report.Gateways.Length.ShouldBe(2);
        report.Sessions.ShouldBe(1);
        report.OpenRequests.ShouldBe(0);
        OverviewBucket bucket = report.Buckets[0];
        (bucket.From, bucket.Admissions, bucket.Sessions, bucket.RegistryLooks, bucket.RegistryFailures).ShouldBe((new DateTimeOffset(2026, 12, 1, 10, 0, 0, TimeSpan.Zero), 2, 1, 3, 0));
    }

    [Fact]
    public async Task A_gateway_that_stops_leaves_its_counts_and_not_itself()
    {
        await _there.Sampler.StartAsync(default);
        _there.Ring.Count(Admitted);

        await _there.Sampler.StopAsync(default);

        OverviewReport report = await _here.ReadAsync();
        (report.Admissions, report.Gateways.Length, report.Sessions).ShouldBe((1, 1, 0));
    }

    // Else one document would take the overview from all operators.
    [Fact]
    public async Task Whatever_others_say_of_their_sessions_there_is_an_overview()
    {
        long hour = OverviewRing.NumberAt(Ten) / OverviewRing.PerHour;
        for (int i = 0; i < 2; i++)
        {
            byte[] content = Encoding.UTF8.GetBytes($$"""{"hour":{{hour}},"gateway":"n","writtenAt":"2026-12-01T10:00:00Z","sessions":{{long.MaxValue}},"buckets":[]}""");
            (await _store.SwapAsync(null, new SharedDocument($"overview-{hour % OverviewRing.Hours}", $"other{i}-{hour}", content, Ten.AddHours(1)), default)).ShouldBeTrue();
        }

        OverviewReport report = await _here.ReadAsync();

        (report.Gateways.Length, report.Sessions).ShouldBe((3, 2 * OverviewCounts.Most));
    }

    [Fact]
    public async Task A_gateway_that_was_killed_is_gone_after_a_while_and_its_counts_stay()
    {
        _there.Ring.Count(Admitted);
        await _there.WriteAsync(sessions: 3);
        (await _here.ReadAsync()).Sessions.ShouldBe(3);

        _time.Advance(TimeSpan.FromSeconds(101));

        OverviewReport report = await _here.ReadAsync();
        (report.Admissions, report.Gateways.Length, report.Sessions).ShouldBe((1, 1, 0));
    }

    [Fact]
    public async Task Without_the_registry_a_gateway_counts_on_and_the_others_get_it_afterwards()
    {
        await _there.Sampler.StartAsync(default);
        _store.IsAvailable = false;
        _there.Ring.Count(Admitted);
        for (int i = 0; i < 6; i++)
        {
            _time.Advance(OverviewSampler.Interval);
            long looks = i + 1;
            await Eventually.HoldsAsync(() => Task.FromResult(_there.Looks == looks), "it looks every ten seconds");
        }

        OverviewReport alone = await _there.ReadAsync();
        (alone.ThisGatewayAlone, alone.Admissions, alone.OpenRequests).ShouldBe((true, 1, null));
        (await _here.ReadAsync()).Admissions.ShouldBe(0);

        _store.IsAvailable = true;
        OverviewReport report = await AdvanceUntilAsync(r => r.Admissions == 1);
        report.Buckets.Sum(b => b.RegistryFailures).ShouldBe(6);
    }

    /// <summary>Gateways whose clocks differ by minutes put the same moment into different buckets; what lies ahead of the reader's clock is not shown yet.</summary>
    [Fact]
    public async Task Buckets_go_by_the_clock_of_the_gateway_that_counts()
    {
        var ahead = new FakeTimeProvider(Ten.AddMinutes(7));
        await using var other = new Gateway(_store, ahead);
        other.Ring.Count(Admitted);
        await other.WriteAsync(sessions: 0);

        (await _here.ReadAsync()).Admissions.ShouldBe(0);
        _time.Advance(TimeSpan.FromMinutes(7));
        (await _here.ReadAsync()).Buckets.ShouldHaveSingleItem().From.ShouldBe(new DateTimeOffset(2026, 12, 1, 10, 5, 0, TimeSpan.Zero));
    }

    // The page of each operator looks, and may be open in many windows.
    [Fact]
    public async Task Open_requests_are_listed_once_in_two_seconds_however_many_look()
    {
        var counted = new CountedStore(_store);
        await using var here = new Gateway(_store, _time, counted);

        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => here.ReadAsync()));
        for (int i = 0; i < 5; i++)
            await here.ReadAsync();
        counted.Lists.ShouldBe(1);
        _time.Advance(TimeSpan.FromSeconds(2));
        (await here.ReadAsync()).OpenRequests.ShouldBe(0);

        counted.Lists.ShouldBe(2);
    }

    [Fact]
    public async Task It_goes_back_as_many_hours_as_are_asked_for()
    {
        _here.Ring.Count(Admitted);
        _time.Advance(TimeSpan.FromHours(2));
        _here.Ring.Count(Admitted);
        _here.Ring.Count(Admitted);

        OverviewReport hour = await _here.ReadAsync(1);
        (hour.Admissions, hour.Until - hour.From, hour.Until).ShouldBe((2, TimeSpan.FromHours(1), new DateTimeOffset(2026, 12, 1, 12, 5, 0, TimeSpan.Zero)));
        (await _here.ReadAsync(3)).Admissions.ShouldBe(3);
        foreach (int hours in new[] { 0, 25 })
            await Should.ThrowAsync<ArgumentOutOfRangeException>(() => _here.ReadAsync(hours));
    }

    /// <summary>Lets half a minute pass at the other gateway, and waits for what it writes then.</summary>
    private async Task<OverviewReport> AdvanceUntilAsync(Func<OverviewReport, bool> condition)
    {
        for (int i = 0; i < 3; i++)
        {
            long looks = _there.Looks;
            _time.Advance(OverviewSampler.Interval);
            await Eventually.HoldsAsync(() => Task.FromResult(_there.Looks > looks), "it looks every ten seconds");
        }

        OverviewReport report = null!;
        await Eventually.HoldsAsync(
            async () =>
            {
                _time.Advance(TimeSpan.FromSeconds(2));
                return condition(report = await _here.ReadAsync());
            },
            "the other gateway has written");
        return report;
    }

    private sealed class CountedStore(IDeviceStore inner) : DelegatingStore(inner)
    {
        private int _lists;

        public int Lists => Volatile.Read(ref _lists);

        public override ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _lists);
            return base.ListOpenRequestsAsync(cursor, limit, cancellationToken);
        }
    }

    private sealed class Gateway : IAsyncDisposable
    {
        private readonly TimeProvider _time;
        private readonly OverviewDocuments _documents;
        private readonly GateOverview _overview;

        public Gateway(InMemoryDeviceStore store, TimeProvider time, IDeviceStore? listed = null)
        {
            _time = time;
            var registry = new DeviceRegistry(listed ?? store);
            Ring = new OverviewRing(time);
            Sessions = new SessionTable(registry, new Settings(), time);
            _documents = new OverviewDocuments(time, store);
            Sampler = new OverviewSampler(Ring, _documents, registry, Sessions, time, NullLogger<OverviewSampler>.Instance);
            _overview = new GateOverview(Ring, _documents, registry, Sessions, time);
        }

        public OverviewRing Ring { get; }

        public SessionTable Sessions { get; }

        public OverviewSampler Sampler { get; }

        public long Looks => Ring.Read(0, long.MaxValue).Sum(b => b.Counts.Looks);

        public Task<OverviewReport> ReadAsync(int hours = 24) => _overview.ReadAsync(hours, default).AsTask();

        public Task WriteAsync(int sessions)
        {
            long hour = OverviewRing.NumberAt(_time.GetUtcNow()) / OverviewRing.PerHour;
            return _documents.WriteAsync(hour, Ring.Read(hour * OverviewRing.PerHour, long.MaxValue), sessions, isLast: false, default);
        }

        public async ValueTask DisposeAsync()
        {
            await Sampler.StopAsync(default);
            Sampler.Dispose();
        }
    }

    private sealed class Settings : IDeviceAuthSettings
    {
        public DeviceAuthOptions Current { get; } = new();
    }
}
