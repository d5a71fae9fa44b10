using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Limits;

namespace ProxyGateway.Tests.Limits;

public sealed class ClientHistoryTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly ClientHistory _history;

    public ClientHistoryTests() => _history = new ClientHistory(_time);

    [Fact]
    public void A_client_begins_so_many_handshakes_a_second_and_no_more()
    {
        Begin("a", 25, perSecond: 10).ShouldBe(10);
        Begin("b", 25, perSecond: 10).ShouldBe(10, "each has a budget of its own");

        _time.Advance(TimeSpan.FromMilliseconds(300));
        Begin("a", 25, perSecond: 10).ShouldBe(3);

        _time.Advance(TimeSpan.FromHours(1));
        Begin("a", 25, perSecond: 10).ShouldBe(10, "what was not used is not saved up");
    }

    [Fact]
    public void What_was_refused_is_not_counted()
    {
        Begin("a", 1000, perSecond: 1).ShouldBe(1);
        _time.Advance(TimeSpan.FromSeconds(1));
        Begin("a", 1000, perSecond: 1).ShouldBe(1);
    }

    [Fact]
    public void Refusals_wait_ever_longer_up_to_a_bound_and_are_forgiven()
    {
        Fail("a", 10).ShouldBe([0, 0, 0, 250, 500, 1000, 2000, 4000, 4000, 4000]);
        Fail("b", 3).ShouldBe([0, 0, 0]);

        _time.Advance(2 * ClientHistory.Forgiveness);
        Fail("a", 2).ShouldBe([2000, 4000]);

        _time.Advance(TimeSpan.FromMinutes(5));
        Fail("a", 4).ShouldBe([0, 0, 0, 250]);
    }

    [Fact]
    public void The_admission_of_a_paired_device_makes_its_address_familiar_for_a_day()
    {
        _history.IsFamiliar("a").ShouldBeFalse();
        _history.Admitted("a");
        _history.IsFamiliar("a").ShouldBeTrue();
        _history.IsFamiliar("b").ShouldBeFalse();

        _time.Advance(ClientHistory.FamiliarFor);
        _history.IsFamiliar("a").ShouldBeFalse();
    }

    [Fact]
    public void Strangers_however_many_do_not_make_a_familiar_address_forgotten()
    {
        _history.Admitted("a");

        for (int i = 0; i < 2 * ClientHistory.MostClients; i++)
        {
            _history.TryBegin($"{i}", 10);
            _history.Fail($"{i}", 10);
        }

        _history.IsFamiliar("a").ShouldBeTrue();
    }

    [Fact]
    public void A_client_is_news_once_a_minute()
    {
        _history.IsNews("a").ShouldBeTrue();
        _history.IsNews("a").ShouldBeFalse();
        _history.IsNews("b").ShouldBeTrue();
        _time.Advance(TimeSpan.FromMinutes(1));
        _history.IsNews("a").ShouldBeTrue();
    }

    [Fact]
    public void What_is_remembered_is_bounded_and_who_was_unseen_longest_is_forgotten_first()
    {
        var memory = new BoundedMemory<object>(2);
        object first = memory.See("a", () => new object());
        object second = memory.See("b", () => new object());
        memory.See("a", () => new object()).ShouldBeSameAs(first);

        memory.See("c", () => new object());

        memory.Count.ShouldBe(2);
        memory.TryGet("a", out object known).ShouldBeTrue();
        known.ShouldBeSameAs(first);
        memory.TryGet("b", out _).ShouldBeFalse();
        memory.See("b", () => new object()).ShouldNotBeSameAs(second);
    }

    private int Begin(string client, int times, int perSecond) => Enumerable.Range(0, times).Count(_ => _history.TryBegin(client, perSecond));

    private int[] Fail(string client, int times) =>
        [.. Enumerable.Range(0, times).Select(_ => (int)_history.Fail(client, free: 3).TotalMilliseconds)];
}
