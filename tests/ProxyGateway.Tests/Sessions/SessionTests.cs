using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.Tests.Sessions;

/// <summary>A change that is announced while a session is being admitted is not missed, in whatever order announcements come.</summary>
public sealed class SessionTests
{
    private static readonly PairingPolicy Policy = PairingPolicy.Default;
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch;
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.write");
    private readonly DeviceRecord _wide;
    private readonly DeviceRecord _narrow;

    public SessionTests()
    {
        _wide = Some.Paired(_claim, DateTimeOffset.UnixEpoch);
        _narrow = Some.Paired(_claim.Asking("operator", "operator.read"), DateTimeOffset.UnixEpoch);
    }

    [Fact]
    public void A_session_without_announcements_is_not_in_doubt()
    {
        using DeviceSession session = Enter();
        session.TryAdmit(_wide, Now).ShouldBeTrue();
    }

    [Fact]
    public void A_change_that_takes_nothing_away_does_not_put_a_session_in_doubt()
    {
        using DeviceSession session = Enter();
        session.Recheck(_wide with { Version = Some.Version() }, Now, Policy);
        session.TryAdmit(_wide, Now).ShouldBeTrue();
    }

    [Fact]
    public void A_change_that_takes_something_away_is_read_again_and_then_settled()
    {
        using DeviceSession session = Enter();
        session.Recheck(_narrow, Now, Policy);
        session.TryAdmit(_wide, Now).ShouldBeFalse();
        session.TryAdmit(_wide, Now).ShouldBeTrue(); // what was read now is newer than what was announced
    }

    [Fact]
    public void A_late_announcement_of_an_older_change_does_not_hide_a_newer_one()
    {
        using DeviceSession session = Enter();
        session.Recheck(_narrow, Now, Policy);
        session.Recheck(_wide with { Version = Some.Version() }, Now, Policy); // written before, announced after
        session.TryAdmit(_wide, Now).ShouldBeFalse();
    }

    [Fact]
    public void An_admitted_session_is_closed_by_a_change_that_takes_something_away()
    {
        using DeviceSession session = Enter();
        session.TryAdmit(_wide, Now).ShouldBeTrue();
        session.Recheck(_narrow, Now, Policy);
        session.Closing!.Reason.ShouldBe("grant revoked");
        session.ClosingToken.IsCancellationRequested.ShouldBeTrue();
    }

    [Theory]
    [InlineData("default", "default", true)]
    [InlineData("default", "agent-2", false)]
    [InlineData("agent-2", "default", false)]
    [InlineData("agent-2", "agent-2", true)]
    public void A_session_is_closed_by_what_its_own_audience_takes_away(string ofSession, string taken, bool isClosed)
    {
        DeviceClaim claim = _claim with { Audience = Audience.Parse(ofSession) };
        DeviceRecord both = _wide with { Grants = _wide.Grants.Add(new GrantKey(Audience.Parse("agent-2"), _claim.Role), _wide.Grants.Of(_claim.Role)) };
        using DeviceSession session = SomeSession.Of(claim);
        session.TryAdmit(both, Now).ShouldBeTrue();

        session.Recheck(both with { Grants = both.Grants.Remove(new GrantKey(Audience.Parse(taken), _claim.Role)) }, Now, Policy);

        (session.Closing is not null).ShouldBe(isClosed);
    }

    private DeviceSession Enter() => SomeSession.Of(_claim);
}
