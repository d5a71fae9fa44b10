using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests.Registry;

/// <summary>Marks in memory: their bounds, and how long they live by which clock.</summary>
public sealed class ReplayMarksTests
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(4);
    private static readonly DeviceId A = Some.Claim().Device;
    private static readonly DeviceId B = Some.Claim().Device;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 22, 10, 0, 0, TimeSpan.Zero));

    [Fact]
    public void A_name_is_used_once_by_each_device_until_its_period_is_over()
    {
        var marks = new ReplayMarks(_time);

        marks.TryUse(A, Once("a"), isKnown: true).ShouldBeTrue();
        marks.TryUse(A, Once("a"), isKnown: true).ShouldBeFalse();
        marks.TryUse(B, Once("a"), isKnown: true).ShouldBeTrue();
        _time.Advance(Period - TimeSpan.FromMilliseconds(1));
        marks.TryUse(A, Once("a"), isKnown: true).ShouldBeFalse();
        _time.Advance(TimeSpan.FromMilliseconds(1));
        marks.TryUse(A, Once("a"), isKnown: true).ShouldBeTrue();
        marks.TryUse(A, Once("a"), isKnown: true).ShouldBeFalse("its time began anew");
    }

    // To look first and mark then would let two through that come at once.
    [Fact]
    public void Of_those_that_use_a_name_at_once_one_is_the_first()
    {
        const int atOnce = 4;
        const int names = 200;
        var marks = new ReplayMarks(_time);
        using var together = new Barrier(atOnce);
        int first = 0;
        Thread[] threads = [.. Enumerable.Range(0, atOnce).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < names; i++)
            {
                together.SignalAndWait();
                if (marks.TryUse(A, Once($"{i}"), isKnown: true))
                    Interlocked.Increment(ref first);
            }
        }))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();

        first.ShouldBe(names);
    }

    [Fact]
    public void A_full_memory_takes_no_more_and_forgets_nothing_before_its_time()
    {
        var marks = new ReplayMarks(_time) { Bounds = (InAll: 10, OfKnownDevice: 8) };
        for (int i = 0; i < 8; i++)
            marks.TryUse(A, Once($"{i}"), isKnown: true).ShouldBeTrue();

        Should.Throw<RegistryUnavailableException>(() => marks.TryUse(A, Once("more"), isKnown: true)).IsContended.ShouldBeTrue("others have room");
        marks.TryUse(B, Once("0"), isKnown: true).ShouldBeTrue();
        marks.TryUse(B, Once("1"), isKnown: true).ShouldBeTrue();
        Should.Throw<RegistryUnavailableException>(() => marks.TryUse(B, Once("more"), isKnown: true)).IsContended.ShouldBeFalse();
        marks.Count.ShouldBe(10);
        for (int i = 0; i < 8; i++)
            marks.TryUse(A, Once($"{i}"), isKnown: true).ShouldBeFalse();

        _time.Advance(Period);
        marks.TryUse(B, Once("more"), isKnown: true).ShouldBeTrue();
        marks.Count.ShouldBeLessThan(10);
        marks.TryUse(A, Once("more"), isKnown: true).ShouldBeTrue();
    }

    [Fact]
    public void A_device_that_is_not_approved_has_room_for_a_few()
    {
        var marks = new ReplayMarks(_time);
        for (int i = 0; i < UseOnce.MostOfOtherDevice; i++)
            marks.TryUse(A, Once($"{i}"), isKnown: false).ShouldBeTrue();

        Should.Throw<RegistryUnavailableException>(() => marks.TryUse(A, Once("more"), isKnown: false)).IsContended.ShouldBeTrue();
        marks.TryUse(A, Once("more"), isKnown: true).ShouldBeTrue("it was approved meanwhile");
        marks.TryUse(B, Once("more"), isKnown: false).ShouldBeTrue();
    }

    // The gateway tells the age of a proof by the wall clock: set back, it would accept a used one again.
    [Fact]
    public void A_clock_that_is_set_forward_or_back_lets_no_mark_go_early()
    {
        var clocks = new TwoClocks();
        var marks = new ReplayMarks(clocks);
        marks.TryUse(A, Once("a"), isKnown: true).ShouldBeTrue();

        clocks.Sleep(TimeSpan.FromHours(1));
        marks.TryUse(A, Once("a"), isKnown: true).ShouldBeFalse("little time has passed");
        clocks.SetBack(TimeSpan.FromHours(2));
        clocks.Advance(TimeSpan.FromMinutes(30));
        marks.TryUse(A, Once("a"), isKnown: true).ShouldBeFalse("its proof may be accepted again when the clock comes there");
    }

    [Fact]
    public void Marks_that_are_over_make_room_behind_one_that_is_not()
    {
        var marks = new ReplayMarks(_time) { Bounds = (InAll: 3, OfKnownDevice: 3) };
        marks.TryUse(A, Once("a"), isKnown: true).ShouldBeTrue();
        marks.TryUse(A, Once("b"), isKnown: true).ShouldBeTrue();
        marks.TryUse(B, Once("c"), isKnown: true).ShouldBeTrue();
        _time.Advance(Period);

        marks.TryUse(A, Once("a"), isKnown: true).ShouldBeTrue();
        marks.TryUse(A, Once("d"), isKnown: true).ShouldBeTrue();
        marks.TryUse(A, Once("e"), isKnown: true).ShouldBeTrue();
        marks.TryUse(A, Once("a"), isKnown: true).ShouldBeFalse();
        Should.Throw<RegistryUnavailableException>(() => marks.TryUse(B, Once("f"), isKnown: true));
    }

    [Theory]
    [InlineData("", 1)]
    [InlineData("a b", 1)]
    [InlineData("\u00e4", 1)]
    [InlineData("a\n", 1)]
    [InlineData("\u007f", 1)]
    [InlineData("a", 0)]
    [InlineData("a", -1)]
    [InlineData("a", 3601)]
    public void What_is_no_name_or_no_period_is_refused(string name, int seconds) =>
        Should.Throw<ArgumentException>(() => new UseOnce(name, TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void A_name_of_129_characters_is_refused_and_marks_have_one_size()
    {
        Should.Throw<ArgumentException>(() => Once(new string('a', 129)));
        Once(new string('a', 128)).MarkOf(A).Length.ShouldBe(32);
        Once("a").MarkOf(A).Length.ShouldBe(32);
        Once("a").MarkOf(A).ShouldNotBe(Once("a").MarkOf(B));
    }

    private static UseOnce Once(string name) => new(name, Period);
}
