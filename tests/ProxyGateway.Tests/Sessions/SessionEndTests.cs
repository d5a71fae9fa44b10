using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests.Sessions;

/// <summary>A session lives no longer than its grant, by the store's time and whatever the clock here says.</summary>
public sealed class SessionEndTests
{
    private static readonly DateTimeOffset StoresNow = new(2031, 1, 1, 0, 0, 0, TimeSpan.Zero); // years from the clock here
    private readonly FakeTimeProvider _time = new();
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");

    [Fact]
    public void A_session_is_closed_when_its_grant_ends()
    {
        using DeviceSession session = Admit(StoresNow.AddMinutes(5));

        _time.Advance(TimeSpan.FromMinutes(5) - TimeSpan.FromMilliseconds(1));
        session.IsLive.ShouldBeTrue();
        _time.Advance(TimeSpan.FromMilliseconds(1));

        session.Closing!.Reason.ShouldBe("grant revoked");
        session.ClosingToken.IsCancellationRequested.ShouldBeTrue();
    }

    [Fact]
    public void A_session_ends_with_the_grant_of_its_own_audience()
    {
        var other = Audience.Parse("agent-2");
        DeviceRecord record = Ending(StoresNow.AddMinutes(5));
        record = record with { Grants = record.Grants.Add(new GrantKey(other, "operator"), record.Grants.Of("operator") with { Until = StoresNow.AddMinutes(9) }) };
        using DeviceSession session = SomeSession.Of(_claim with { Audience = other }, _time);

        session.TryAdmit(record, StoresNow).ShouldBeTrue();

        session.EndsAt.ShouldBe(StoresNow.AddMinutes(9));
    }

    [Fact]
    public void A_session_follows_a_later_or_earlier_end_of_its_grant()
    {
        using DeviceSession later = Admit(StoresNow.AddMinutes(5));
        using DeviceSession earlier = Admit(StoresNow.AddMinutes(5));
        _time.Advance(TimeSpan.FromMinutes(1));
        later.Recheck(Ending(StoresNow.AddMinutes(9)), StoresNow.AddMinutes(1), PairingPolicy.Default);
        earlier.Recheck(Ending(StoresNow.AddMinutes(2)), StoresNow.AddMinutes(1), PairingPolicy.Default);

        _time.Advance(TimeSpan.FromMinutes(1));
        (later.IsLive, earlier.IsLive).ShouldBe((true, false));
        _time.Advance(TimeSpan.FromMinutes(6));
        later.IsLive.ShouldBeTrue();
        _time.Advance(TimeSpan.FromMinutes(1));
        later.IsLive.ShouldBeFalse();
    }

    [Fact]
    public void A_session_stays_when_the_end_of_its_grant_is_removed()
    {
        using DeviceSession session = Admit(StoresNow.AddMinutes(5));
        session.Recheck(Some.Paired(_claim, StoresNow), StoresNow, PairingPolicy.Default);

        _time.Advance(TimeSpan.FromDays(1));

        (session.IsLive, session.EndsAt).ShouldBe((true, null));
    }

    [Fact]
    public void An_end_beyond_the_range_of_timers_is_kept()
    {
        using DeviceSession session = Admit(StoresNow.AddYears(900));

        _time.Advance(TimeSpan.FromMinutes(1));

        session.IsLive.ShouldBeTrue();
    }

    [Fact]
    public void A_session_is_closed_soon_after_the_machine_slept_past_the_end()
    {
        var time = new TwoClocks();
        using DeviceSession session = Admit(StoresNow.AddMinutes(5), time);

        time.Sleep(TimeSpan.FromHours(8));
        time.Advance(SessionEnd.LongestWait);

        session.Closing!.Reason.ShouldBe("grant revoked");
    }

    [Fact]
    public void A_wall_clock_that_is_set_back_does_not_prolong_a_session()
    {
        var time = new TwoClocks();
        using DeviceSession session = Admit(StoresNow.AddMinutes(5), time);

        time.SetBack(TimeSpan.FromHours(1));
        time.Advance(TimeSpan.FromMinutes(5) - TimeSpan.FromMilliseconds(1));
        session.IsLive.ShouldBeTrue();
        time.Advance(TimeSpan.FromMilliseconds(1));

        session.Closing!.Reason.ShouldBe("grant revoked");
    }

    [Fact]
    public void A_machine_that_sleeps_during_a_read_does_not_prolong_a_session()
    {
        var time = new TwoClocks();
        using DeviceSession session = SomeSession.Of(_claim, time);
        var beforeTheRead = new TimeMark(time);

        time.Sleep(TimeSpan.FromHours(8));
        session.TryAdmit(Ending(StoresNow.AddMinutes(5)), StoresNow, beforeTheRead).ShouldBeTrue();
        time.Advance(TimeSpan.Zero);

        session.Closing!.Reason.ShouldBe("grant revoked");
    }

    [Fact]
    public void A_change_announced_after_the_end_closes_the_session_too()
    {
        using DeviceSession session = Admit(StoresNow.AddMinutes(5));

        session.Recheck(Ending(StoresNow.AddMinutes(5)), StoresNow.AddMinutes(5), PairingPolicy.Default);

        session.Closing!.Reason.ShouldBe("grant revoked");
    }

    [Fact]
    public void A_block_closes_all_sessions_of_the_device()
    {
        using DeviceSession session = Admit(until: null);

        session.Recheck(Some.Paired(_claim, StoresNow) with { Block = new Block { At = StoresNow, By = "ops" } }, StoresNow, PairingPolicy.Default);

        session.Closing!.Reason.ShouldBe("device blocked");
    }

    private DeviceSession Admit(DateTimeOffset? until, TimeProvider? time = null)
    {
        DeviceSession session = SomeSession.Of(_claim, time ?? _time);
        session.TryAdmit(Ending(until), StoresNow).ShouldBeTrue();
        session.EndsAt.ShouldBe(until);
        return session;
    }

    private DeviceRecord Ending(DateTimeOffset? until)
    {
        DeviceRecord record = Some.Paired(_claim, StoresNow);
        return record with { Grants = record.Grants.SetItem("operator", record.Grants.Of("operator") with { Until = until }) };
    }
}
