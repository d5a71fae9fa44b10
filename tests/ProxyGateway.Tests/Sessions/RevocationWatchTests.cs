using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.Tests.Sessions;

/// <summary>What is heard of the registry, and what is not heard for too long, comes to the sessions that it concerns.</summary>
public sealed class RevocationWatchTests : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch);
    private readonly AnnouncingStore _store = new();
    private readonly FreshnessOptions _options = new() { CloseStaleSessions = true, SweepInterval = TimeSpan.FromSeconds(20) };
    private readonly Settings _settings = new();
    private readonly SessionTable _sessions;
    private readonly RegistryFreshness _freshness;
    private readonly RevocationWatch _watch;

    public RevocationWatchTests()
    {
        var registry = new DeviceRegistry(_store);
        _sessions = new SessionTable(registry, _settings, _time);
        _freshness = new RegistryFreshness(_options, _time);
        _watch = new RevocationWatch(_store, registry, _sessions, _freshness, _settings, _options, _time, NullLogger<RevocationWatch>.Instance);
    }

    public Task InitializeAsync() => _watch.StartAsync(default);

    public Task DisposeAsync() => _watch.StopAsync(default);

    public void Dispose() => _watch.Dispose();

    [Fact]
    public async Task A_change_that_takes_a_session_away_closes_it()
    {
        DeviceSession session = Admit("operator.write");
        DeviceSession covered = Admit("operator.write");
        _store.Write(Narrowed(session));

        await _store.AnnounceAsync(session.Claim.Device, "another version");

        (await ClosedAsync(session)).ShouldBe((1008, "grant revoked"));
        covered.Closing.ShouldBeNull();
    }

    [Fact]
    public async Task A_reload_closes_sessions_that_are_no_longer_covered_and_no_others()
    {
        DeviceSession covered = Admit("operator.read");
        DeviceSession uncovered = Admit("operator.write", claims: "operator.read");

        _settings.Reload(WithoutImplications);

        (await ClosedAsync(uncovered)).ShouldBe((1008, "grant revoked"));
        await HoldsAsync(() => _store.Reads == 2);
        covered.Closing.ShouldBeNull();
    }

    [Fact]
    public async Task A_reload_while_a_session_is_being_decided_puts_it_in_doubt()
    {
        DeviceSession session = Admit("operator.write", provisional: true, claims: "operator.read");
        DeviceSession later = AdmitBehind(session);

        _settings.Reload(WithoutImplications);

        (await ClosedAsync(later)).ShouldBe((1008, "grant revoked"));
        session.TryAdmit(_store.Records[session.Claim.Device], DateTimeOffset.UnixEpoch).ShouldBeFalse();
    }

    [Fact]
    public async Task A_reload_during_an_outage_is_checked_when_the_registry_is_back()
    {
        DeviceSession uncovered = Admit("operator.write", claims: "operator.read");
        _store.Unreadable.TryAdd(uncovered.Claim.Device, true);

        _settings.Reload(WithoutImplications);
        await HoldsAsync(() => _store.Reads == 1);
        uncovered.Closing.ShouldBeNull();
        _store.Unreadable.Clear();

        (await ClosedAsync(uncovered, asTimePasses: true)).ShouldBe((1008, "grant revoked"));
    }

    [Fact]
    public async Task The_sweep_finds_a_change_of_settings_without_an_event()
    {
        DeviceSession uncovered = Admit("operator.write", claims: "operator.read");
        _settings.Current = new DeviceAuthOptions { Policy = WithoutImplications };

        _time.Advance(_options.SweepInterval);

        (await ClosedAsync(uncovered)).ShouldBe((1008, "grant revoked"));
    }

    [Fact]
    public async Task A_removed_record_closes_its_sessions()
    {
        DeviceSession session = Admit("operator.write");
        _store.Records.TryRemove(session.Claim.Device, out _);

        await _store.AnnounceAsync(session.Claim.Device, "another version");

        (await ClosedAsync(session)).ShouldBe((1008, "device removed"));
    }

    [Fact]
    public async Task The_version_of_its_own_admission_does_not_recheck_a_session()
    {
        DeviceSession session = Admit("operator.write");

        await _store.AnnounceAsync(session.Claim.Device, session.Version!);
        await _store.AnnounceAsync(Some.Claim().Device, "of a device without sessions");

        _store.Reads.ShouldBe(0);
    }

    [Fact]
    public async Task A_provisional_session_is_put_in_doubt()
    {
        DeviceSession session = Admit("operator.write", provisional: true);
        DeviceSession later = AdmitBehind(session);
        _store.Write(Narrowed(session));

        await _store.AnnounceAsync(session.Claim.Device, "another version");

        (await ClosedAsync(later)).ShouldBe((1008, "grant revoked"));
        session.TryAdmit(Narrowed(session), DateTimeOffset.UnixEpoch).ShouldBeFalse();
    }

    [Fact]
    public async Task A_record_that_cannot_be_read_is_read_as_soon_as_it_can()
    {
        DeviceSession session = Admit("operator.write");
        _store.Write(Narrowed(session));
        _store.Unreadable.TryAdd(session.Claim.Device, true);

        await _store.AnnounceAsync(session.Claim.Device, "another version");
        await HoldsAsync(() => _store.Reads == 1);
        session.Closing.ShouldBeNull();
        _store.Unreadable.Clear();

        (await ClosedAsync(session, asTimePasses: true)).ShouldBe((1008, "grant revoked"));
    }

    [Fact]
    public async Task A_changed_record_that_cannot_be_read_for_too_long_closes_its_sessions_if_so_configured()
    {
        DeviceSession session = Admit("operator.write");
        DeviceSession other = Admit("operator.write");
        _store.Unreadable.TryAdd(session.Claim.Device, true);

        await _store.AnnounceAsync(session.Claim.Device, "another version");

        (await ClosedAsync(session, asTimePasses: true)).ShouldBe((1013, "registry unavailable"));
        other.Closing.ShouldBeNull();
        _freshness.IsStale.ShouldBeFalse();
    }

    [Fact]
    public async Task A_change_announced_during_a_read_makes_the_record_be_read_again()
    {
        DeviceSession session = Admit("operator.write");
        TaskCompletionSource reading = _store.HoldReads();
        await _store.AnnounceAsync(session.Claim.Device, "another version");
        await HoldsAsync(() => _store.Reads == 1); // and finds what still covers the session

        _store.Write(Narrowed(session));
        await _store.AnnounceAsync(session.Claim.Device, "one more version");
        reading.SetResult();

        (await ClosedAsync(session)).ShouldBe((1008, "grant revoked"));
    }

    [Fact]
    public async Task After_a_gap_sessions_whose_record_changed_are_checked()
    {
        DeviceSession[] sessions = [.. Enumerable.Range(0, 1200).Select(_ => Admit("operator.write"))];
        DeviceSession narrowed = sessions[700];
        _store.Write(Narrowed(narrowed));

        await _store.AnnounceAsync(new Announcement.Resumed());

        (await ClosedAsync(narrowed)).ShouldBe((1008, "grant revoked"));
        _store.Reads.ShouldBe(1); // the versions of the others said enough
        _store.LargestBatch.ShouldBeLessThanOrEqualTo(512);
        sessions.Count(s => s.Closing is null).ShouldBe(1199);
    }

    [Fact]
    public async Task A_sweep_that_fails_asks_about_each_device_alone()
    {
        DeviceSession session = Admit("operator.write");
        DeviceSession other = Admit("operator.write");
        _store.Write(Narrowed(session));
        _store.Unreadable.TryAdd(session.Claim.Device, true);

        await _store.AnnounceAsync(new Announcement.Resumed());
        await HoldsAsync(() => _store.Reads >= 1);
        _store.Unreadable.Clear();

        (await ClosedAsync(session, asTimePasses: true)).ShouldBe((1008, "grant revoked"));
        other.Closing.ShouldBeNull();
    }

    [Fact]
    public async Task The_sweep_finds_an_unannounced_change_within_its_interval()
    {
        DeviceSession session = Admit("operator.write");
        _store.Write(Narrowed(session));

        _time.Advance(_options.SweepInterval);

        (await ClosedAsync(session)).ShouldBe((1008, "grant revoked"));
    }

    [Fact]
    public async Task Signs_of_life_keep_the_registry_fresh()
    {
        DeviceSession session = Admit("operator.write");
        for (int i = 0; i < 10; i++)
        {
            _time.Advance(_options.StalenessLimit / 2);
            await _store.AnnounceAsync(new Announcement.Alive());
            await HoldsAsync(() => !_freshness.IsStale);
        }

        session.Closing.ShouldBeNull();
    }

    [Fact]
    public async Task Silence_makes_the_registry_stale_and_closes_sessions_if_so_configured()
    {
        DeviceSession session = Admit("operator.write");

        _time.Advance(_options.StalenessLimit);

        _freshness.IsStale.ShouldBeTrue();
        (await ClosedAsync(session)).ShouldBe((1013, "registry unavailable"));
        await _store.AnnounceAsync(new Announcement.Alive());
        await HoldsAsync(() => !_freshness.IsStale);
    }

    [Fact]
    public async Task After_a_gap_signs_of_life_count_only_once_the_sessions_are_checked()
    {
        Admit("operator.write");
        _store.HasVersions = false;
        await _store.AnnounceAsync(new Announcement.Resumed());
        _time.Advance(_options.StalenessLimit);
        await _store.AnnounceAsync(new Announcement.Alive());
        await _store.AnnounceAsync(new Announcement.Alive()); // the first has been taken note of
        _freshness.IsStale.ShouldBeTrue();

        _store.HasVersions = true;

        await HoldsAsync(async () =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await _store.AnnounceAsync(new Announcement.Alive());
            return !_freshness.IsStale;
        });
    }

    [Fact]
    public async Task A_check_that_fails_unexpectedly_closes_the_sessions()
    {
        DeviceSession session = Admit("operator.write");
        _store.Fault = new InvalidOperationException("a bug");

        await _store.AnnounceAsync(session.Claim.Device, "another version");

        (await ClosedAsync(session)).ShouldBe((1011, "internal error"));
    }

    private static DeviceRecord Narrowed(DeviceSession session) => Some.Paired(session.Claim.Asking("operator", "operator.read"), DateTimeOffset.UnixEpoch);

    private static PairingPolicy WithoutImplications { get; } =
        new() { Implications = new ScopeImplications(ImmutableDictionary<string, ImmutableDictionary<string, ImmutableArray<string>>>.Empty) };

    private DeviceSession Admit(string scope, bool provisional = false, string? claims = null)
    {
        DeviceClaim claim = Some.Claim("operator", scope);
        DeviceRecord record = Some.Paired(claim, DateTimeOffset.UnixEpoch);
        claim = claim.Asking("operator", claims ?? scope);
        _store.Write(record);
        DeviceSession session = _sessions.TryEnter(claim, Some.Origin, limit: 1)!;
        if (!provisional)
            session.TryAdmit(record, DateTimeOffset.UnixEpoch).ShouldBeTrue();
        return session;
    }

    /// <summary>A session that is checked after this one: sessions of a device are checked in the order in which they entered.</summary>
    private DeviceSession AdmitBehind(DeviceSession first)
    {
        DeviceSession later = _sessions.TryEnter(first.Claim, Some.Origin, limit: 2)!;
        later.TryAdmit(_store.Records[first.Claim.Device], DateTimeOffset.UnixEpoch).ShouldBeTrue();
        return later;
    }

    private async Task<(int Code, string Reason)> ClosedAsync(DeviceSession session, bool asTimePasses = false)
    {
        await HoldsAsync(async () =>
        {
            if (session.Closing is not null)
                return true;
            if (asTimePasses) // what failed is tried again
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                await _store.AnnounceAsync(new Announcement.Alive());
            }

            return false;
        });
        return (session.Closing!.Code, session.Closing.Reason);
    }

    private static Task HoldsAsync(Func<bool> condition) => HoldsAsync(() => Task.FromResult(condition()));

    private static async Task HoldsAsync(Func<Task<bool>> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!await condition())
        {
            await Task.Delay(1, patience.Token);
        }
    }

    private sealed class Settings : IDeviceAuthSettings
    {
        public event Action? Changed;

        public DeviceAuthOptions Current { get; set; } = new();

        public void Reload(PairingPolicy policy)
        {
            Current = new DeviceAuthOptions { Policy = policy };
            Changed?.Invoke();
        }
    }
}
