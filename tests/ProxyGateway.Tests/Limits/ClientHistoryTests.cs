using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Limits;

namespace ProxyGateway.Tests.Limits;

public sealed class ClientHistoryTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly ClientHistory _history;

    public ClientHistoryTests() => _history = new ClientHistory(_time);

    [Fact]
    public void A_clients_new_handshakes_per_second_are_bounded()
    {
        Begin("a", 25, perSecond: 10).ShouldBe(10);
        Begin("b", 25, perSecond: 10).ShouldBe(10, "each has a budget of its own");

        _time.Advance(TimeSpan.FromMilliseconds(300));
        Begin("a", 25, perSecond: 10).ShouldBe(3);

        _time.Advance(TimeSpan.FromHours(1));
        Begin("a", 25, perSecond: 10).ShouldBe(10, "what was not used is not saved up");
    }

    [Fact]
    public void A_refused_handshake_is_not_counted()
    {
        Begin("a", 1000, perSecond: 1).ShouldBe(1);
        _time.Advance(TimeSpan.FromSeconds(1));
        Begin("a", 1000, perSecond: 1).ShouldBe(1);
    }

    [Fact]
    public void Refusals_are_delayed_ever_longer_up_to_a_bound_and_failures_are_forgiven()
    {
        Fail("a", 10).ShouldBe([0, 0, 0, 250, 500, 1000, 2000, 4000, 4000, 4000]);
        Fail("b", 3).ShouldBe([0, 0, 0]);

        _time.Advance(2 * FailurePacer.Forgiveness);
        Fail("a", 2).ShouldBe([2000, 4000]);

        _time.Advance(TimeSpan.FromMinutes(5));
        Fail("a", 4).ShouldBe([0, 0, 0, 250]);
    }

    [Fact]
    public void The_admission_of_a_paired_device_makes_its_address_familiar_for_a_day()
    {
        IsFamiliar("a").ShouldBeFalse();
        _history.Admitted(One("a"));
        IsFamiliar("a").ShouldBeTrue();
        IsFamiliar("b").ShouldBeFalse();

        _time.Advance(ClientHistory.FamiliarFor);
        IsFamiliar("a").ShouldBeFalse();
    }

    [Fact]
    public void Any_number_of_strangers_does_not_make_a_familiar_address_forgotten()
    {
        _history.Admitted(One("a"));

        for (int i = 0; i < 2 * ClientHistory.MostClients; i++)
        {
            _history.TryBegin(One($"{i}"), 10);
            _history.Fail(One($"{i}"), 10);
        }

        IsFamiliar("a").ShouldBeTrue();
    }

    [Fact]
    public void A_client_is_audited_once_a_minute()
    {
        _history.IsAuditDue(One("a")).ShouldBeTrue();
        _history.IsAuditDue(One("a")).ShouldBeFalse();
        _history.IsAuditDue(One("b")).ShouldBeTrue();
        _time.Advance(TimeSpan.FromMinutes(1));
        _history.IsAuditDue(One("a")).ShouldBeTrue();
    }

    [Fact]
    public void Each_user_of_this_machine_has_a_rate_within_the_rate_of_all_users()
    {
        Begin(User(1), 25, perSecond: 10).ShouldBe(10);
        Begin(User(2), 25, perSecond: 10).ShouldBe(10, "another is not slowed down");
        for (int i = 3; i < 100; i++)
            Begin(User(i), 25, perSecond: 10);
        Begin(User(100), 25, perSecond: 10).ShouldBe(0, "forty for all users together");
        Begin(One("192.0.2.1"), 25, perSecond: 10).ShouldBe(10);
    }

    [Fact]
    public void A_quarter_of_the_rate_is_reserved_for_the_user_whose_device_was_admitted()
    {
        _history.Admitted(User(1));

        Enumerable.Range(2, 100).Sum(i => Begin(User(i), 25, perSecond: 10)).ShouldBe(30);

        Begin(User(1), 25, perSecond: 10).ShouldBe(10);
    }

    [Fact]
    public void A_48_has_sixteen_times_the_rate_of_a_64_for_any_number_of_64s()
    {
        Enumerable.Range(0, 65_536 / 64).Sum(i => Begin(Site(i * 64), 3, perSecond: 1)).ShouldBe(16);

        Begin(Site(65_536), 3, perSecond: 1).ShouldBe(1);
    }

    [Fact]
    public void Failures_within_a_48_add_up()
    {
        TimeSpan last = TimeSpan.Zero;
        for (int i = 0; i < 16; i++)
            last = _history.Fail(Site(i * 256), free: 1);
        last.ShouldBe(TimeSpan.Zero);

        _history.Fail(Site(16 * 256), free: 1).ShouldBe(FailurePacer.ShortestDelay);
        _history.Fail(Site(65_536), free: 1).ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public void The_longest_delay_of_a_clients_budgets_counts()
    {
        _history.Fail(Site(0), free: 1).ShouldBe(TimeSpan.Zero);

        _history.Fail(Site(0), free: 1).ShouldBe(FailurePacer.ShortestDelay, "its own is used up, that of its /48 is not");
    }

    [Fact]
    public void A_48_is_audited_once_a_minute_for_any_number_of_64s()
    {
        _history.IsAuditDue(Site(0)).ShouldBeTrue();
        _history.IsAuditDue(Site(256)).ShouldBeFalse();
    }

    private static Client One(string name) => new([new(name, 1)], Host: 0);

    private static Client User(int id) => new([new($"loopback user {id}", 1), new("loopback", 4)], Host: 0);

    private static Client Site(int network) => new(
        [new($"{network}::1", 1), new($"{network}/64", 1), new($"{network / 256}/56", 4), new($"{network / 65_536}/48", 16)], Host: 1);

    private bool IsFamiliar(string client) => _history.FamiliarityOf(One(client))[0];

    private int Begin(string client, int times, int perSecond) => Begin(One(client), times, perSecond);

    private int Begin(Client client, int times, int perSecond) => Enumerable.Range(0, times).Count(_ => _history.TryBegin(client, perSecond));

    private int[] Fail(string client, int times) =>
        [.. Enumerable.Range(0, times).Select(_ => (int)_history.Fail(One(client), free: 3).TotalMilliseconds)];
}
