using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Admin;

namespace ProxyGateway.IntegrationTests.Admin;

public sealed class RefusalPaceTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly RefusalPace _pace;

    public RefusalPaceTests() => _pace = new RefusalPace(_time);

    [Fact]
    public void A_failure_of_one_address_does_not_delay_another()
    {
        Delays("a", 20);

        Delays("b", 5).ShouldAllBe(d => d == 0);
    }

    [Fact]
    public void The_number_of_waiting_refusals_of_an_address_is_bounded()
    {
        Delays("a", RefusalPace.AtOnce);
        RefusalPace.Turn[] held = [.. Enumerable.Range(0, RefusalPace.MostHeldPerAddress).Select(_ => _pace.Take("a"))];
        held.ShouldAllBe(t => t.Delay > TimeSpan.Zero && !t.IsTooMany);

        RefusalPace.Turn more = _pace.Take("a");
        (more.IsTooMany, more.Delay).ShouldBe((true, TimeSpan.Zero));
        more.Dispose();
        _pace.Take("a").IsTooMany.ShouldBeTrue();

        held[0].Dispose();
        _pace.Take("a").IsTooMany.ShouldBeFalse();
    }

    [Fact]
    public void The_number_of_waiting_refusals_in_all_is_bounded()
    {
        int addresses = RefusalPace.MostHeld / RefusalPace.MostHeldPerAddress;
        for (int a = 0; a < addresses; a++)
        {
            Delays($"{a}", RefusalPace.AtOnce);
            for (int i = 0; i < RefusalPace.MostHeldPerAddress; i++)
                _pace.Take($"{a}").IsTooMany.ShouldBeFalse();
        }

        _pace.Held.ShouldBe(RefusalPace.MostHeld);
        Delays("one more", RefusalPace.AtOnce);
        _pace.Take("one more").IsTooMany.ShouldBeTrue();
    }

    [Fact]
    public void The_number_of_remembered_addresses_is_bounded_and_the_oldest_is_forgotten_first()
    {
        Delays("old", RefusalPace.AtOnce);
        Delays("recent", RefusalPace.AtOnce);
        for (int i = 0; i < RefusalPace.MostAddresses - 2; i++)
            Delays($"{i}", 1);
        Delays("recent", 1).ShouldBe([250]);
        Delays("one more", 1);

        _pace.Addresses.ShouldBe(RefusalPace.MostAddresses);
        Delays("recent", 1).ShouldBe([500]);
        Delays("old", 1).ShouldBe([0]);
    }

    [Fact]
    public void An_address_with_a_waiting_refusal_is_not_forgotten()
    {
        Delays("a", RefusalPace.AtOnce);
        for (int i = 0; i < RefusalPace.MostHeldPerAddress; i++)
            _pace.Take("a");

        for (int i = 0; i < 2 * RefusalPace.MostAddresses; i++)
            Delays($"{i}", 1);

        _pace.Take("a").IsTooMany.ShouldBeTrue();
        _pace.Addresses.ShouldBe(RefusalPace.MostAddresses);
    }

    [Fact]
    public void An_address_is_logged_once_a_minute_with_the_count_since()
    {
        _pace.Take("a").ToTell.ShouldBe(1);
        for (int i = 0; i < 41; i++)
            _pace.Take("a").ToTell.ShouldBe(0);

        _time.Advance(TimeSpan.FromMinutes(1));
        _pace.Take("a").ToTell.ShouldBe(42);
    }

    [Fact]
    public void Many_addresses_do_not_fill_the_log()
    {
        Enumerable.Range(0, 1000).Count(i => _pace.Take($"{i}").ToTell > 0).ShouldBe(30);

        _time.Advance(TimeSpan.FromMinutes(1));
        Enumerable.Range(0, 1000).Count(i => _pace.Take($"{i}").ToTell > 0).ShouldBe(30);
    }

    private int[] Delays(string address, int times)
    {
        var delays = new List<int>();
        for (int i = 0; i < times; i++)
        {
            using RefusalPace.Turn turn = _pace.Take(address);
            delays.Add((int)turn.Delay.TotalMilliseconds);
        }

        return [.. delays];
    }
}
