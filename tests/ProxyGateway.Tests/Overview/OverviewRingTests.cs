using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Overview;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests.Overview;

/// <summary>Every event is counted once, in the bucket of its time, and no more than a day of them is kept.</summary>
public sealed class OverviewRingTests
{
    private static readonly DateTimeOffset Ten = new(2026, 12, 1, 10, 0, 0, TimeSpan.Zero);
    private static readonly AuditEntry Admitted = new() { Kind = AuditKinds.DeviceAdmitted };
    private static readonly AuditEntry Blocked = new() { Kind = AuditKinds.DeviceRefused, Reason = "blocked" };

    private readonly MovableTime _time = new(Ten);
    private readonly OverviewRing _ring;

    public OverviewRingTests() => _ring = new OverviewRing(_time);

    [Fact]
    public void A_bucket_begins_with_its_first_moment()
    {
        _time.Now = Ten.AddMinutes(5).AddTicks(-1);
        _ring.Count(Admitted);
        _time.Now = Ten.AddMinutes(5);
        _ring.Count(Admitted);
        _ring.Count(Admitted);

        All().Select(b => (OverviewRing.StartOf(b.Number), b.Counts.Admissions)).ShouldBe([(Ten, 1L), (Ten.AddMinutes(5), 2L)]);
    }

    [Fact]
    public void Refusals_are_counted_by_reason_and_opened_requests_apart()
    {
        _ring.Count(Blocked);
        _ring.Count(Blocked);
        _ring.Count(new AuditEntry { Kind = AuditKinds.UpgradeRefused, Reason = "origin" });
        _ring.Count(new AuditEntry { Kind = AuditKinds.RequestOpened });
        _ring.Count(new AuditEntry { Kind = AuditKinds.SessionClosed });
        _ring.Count(new AuditEntry { Kind = AuditKinds.RefusalsLeftOut, Count = 7 }); // each was counted when it came

        OverviewCounts counts = All().ShouldHaveSingleItem().Counts;
        (counts.Admissions, counts.RequestsOpened).ShouldBe((0, 1));
        counts.Refusals.Sum().ShouldBe(3);
        counts.Refusals[RefusalReasons.All.IndexOf(RefusalReasons.Blocked)].ShouldBe(2);
        counts.Refusals[RefusalReasons.All.IndexOf(RefusalReasons.Origin)].ShouldBe(1);
    }

    [Fact]
    public void The_clock_may_be_set_back_and_forward()
    {
        _ring.Count(Admitted);
        _time.Now = Ten.AddHours(-3);
        _ring.Count(Admitted);
        _ring.Count(Admitted);
        _time.Now = Ten.AddMinutes(1);
        _ring.Count(Admitted);

        All().Select(b => b.Counts.Admissions).ShouldBe([2L, 2L]);

        _time.Now = Ten.AddYears(1);
        _ring.Count(Admitted);
        All().Select(b => b.Counts.Admissions).ShouldBe([1L], "all others are older than a day");
        _time.Now = Ten.AddYears(-1);
        _ring.Count(Blocked);
        All().ShouldHaveSingleItem().Counts.Admissions.ShouldBe(0);
    }

    [Fact]
    public void A_bucket_goes_when_its_place_is_needed_a_day_later()
    {
        _ring.Count(Admitted);
        _time.Now = Ten.AddHours(OverviewRing.Hours).AddTicks(-1);
        _ring.Count(Admitted);
        _ring.Read(0, long.MaxValue).Count.ShouldBe(2);

        _time.Now = Ten.AddHours(OverviewRing.Hours);
        _ring.Count(Admitted);
        _ring.Count(Admitted);

        _ring.Read(0, long.MaxValue).Select(b => b.Counts.Admissions).ShouldBe([1L, 2L]);
        for (int i = 0; i < 1000; i++)
        {
            _time.Now += TimeSpan.FromMinutes(7);
            _ring.Count(Admitted);
        }

        _ring.Read(0, long.MaxValue).Count.ShouldBeLessThanOrEqualTo(OverviewRing.Hours * OverviewRing.PerHour);
    }

    [Fact]
    public void An_hour_is_written_again_only_if_something_was_counted_in_it()
    {
        _ring.Count(Admitted);
        _time.Now = Ten.AddMinutes(60);
        _ring.Count(Admitted);

        long hour = OverviewRing.NumberAt(Ten) / OverviewRing.PerHour;
        _ring.TakeChangedHours().ShouldBe([hour, hour + 1]);
        _ring.TakeChangedHours().ShouldBeEmpty();
        _ring.PutBack(hour);
        _ring.TakeChangedHours().ShouldBe([hour]);
        _ring.Note(sessions: 1, openRequests: null, answeredIn: null);
        _ring.TakeChangedHours().ShouldBe([hour + 1]);
        _ring.PutBack(hour);
        _time.Now = Ten.AddHours(OverviewRing.Hours);
        _ring.TakeChangedHours().ShouldBeEmpty("it is too old");
    }

    [Fact]
    public void What_a_caller_reads_does_not_change_any_more()
    {
        _ring.Count(Admitted);
        OverviewCounts read = All()[0].Counts;
        _ring.Count(Admitted);
        read.Admissions.ShouldBe(1);
    }

    [Fact]
    public void A_look_keeps_the_largest_and_counts_what_failed()
    {
        _ring.Note(3, 2, TimeSpan.FromMilliseconds(4.2));
        _ring.Note(2, null, null);
        _ring.Note(1, 1, TimeSpan.FromMilliseconds(1));

        OverviewCounts counts = All()[0].Counts;
        (counts.Sessions, counts.OpenRequests, counts.Looks, counts.FailedLooks, counts.SlowestMilliseconds).ShouldBe((3, 2, 3, 1, 5));
    }

    /// <summary>The audit enters ten plain requests of a device a minute, ten refusals of an address, and counts the rest: so does the ring count each.</summary>
    [Fact]
    public void What_the_audit_only_counts_is_counted_too()
    {
        var time = new FakeTimeProvider(Ten);
        var ring = new OverviewRing(time);
        using var drops = new CountedDrops("proxygateway.audit.dropped");
        var entered = new Entered();
        using var audit = new AuditLog(time, drops.Telemetry, NullLogger<AuditLog>.Instance, store: null, [entered], ring);
        AuditEntry request = Admitted with { DeviceId = Some.Claim().Device, Role = "client", Scopes = ScopeSet.Of("a") };
        for (int i = 0; i < 25; i++)
        {
            audit.TryEnterRequest(request);
            audit.Enter(Blocked with { Address = "192.0.2.1" });
        }

        time.Advance(TimeSpan.FromMinutes(2));

        OverviewCounts counts = ring.Read(0, long.MaxValue).ShouldHaveSingleItem().Counts;
        counts.Admissions.ShouldBe(25);
        counts.Refusals.Sum().ShouldBe(25);
        entered.Sum(AuditKinds.DeviceAdmitted, AuditKinds.AdmissionsLeftOut).ShouldBe(25);
        entered.Sum(AuditKinds.DeviceRefused, AuditKinds.RefusalsLeftOut).ShouldBe(25);
    }

    [Fact]
    public void Without_an_audit_events_are_counted_all_the_same()
    {
        using var drops = new CountedDrops("proxygateway.audit.dropped");
        using var off = new AuditLog(_time, drops.Telemetry, NullLogger<AuditLog>.Instance, tally: _ring);
        off.Enter(Admitted);
        All().ShouldHaveSingleItem().Counts.Admissions.ShouldBe(1);
    }

    private IReadOnlyList<(long Number, OverviewCounts Counts)> All() =>
        _ring.Read(_ring.Now - (24 * OverviewRing.PerHour), _ring.Now);

    private sealed class MovableTime(DateTimeOffset now) : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = now;

        public override DateTimeOffset GetUtcNow() => Now;
    }

    private sealed class Entered : IAuditListener
    {
        private readonly List<AuditEntry> _entries = [];

        void IAuditListener.Entered(AuditEntry entry) => _entries.Add(entry);

        public long Sum(string kind, string leftOut) => _entries.Count(e => e.Kind == kind) + _entries.Where(e => e.Kind == leftOut).Sum(e => e.Count);
    }
}
