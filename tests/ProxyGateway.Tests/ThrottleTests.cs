using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;

namespace ProxyGateway.Tests;

public sealed class ThrottleTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_bounded_number_passes_in_a_span_that_begins_with_the_first()
    {
        var throttle = new Throttle(_time, TimeSpan.FromSeconds(10), permits: 2);
        _time.Advance(TimeSpan.FromSeconds(7));

        Pass(throttle, 5).ShouldBe(2);
        _time.Advance(TimeSpan.FromSeconds(9.999));
        Pass(throttle, 5).ShouldBe(0);
        _time.Advance(TimeSpan.FromSeconds(0.001));
        Pass(throttle, 5).ShouldBe(2, "a new span begins, and what did not pass is not saved up");
    }

    [Fact]
    public void Once_per_minute_is_one_in_sixty_seconds()
    {
        Throttle throttle = Throttle.OncePerMinute(_time);

        Pass(throttle, 3).ShouldBe(1);
        _time.Advance(TimeSpan.FromSeconds(59));
        Pass(throttle, 3).ShouldBe(0);
        _time.Advance(TimeSpan.FromSeconds(1));
        Pass(throttle, 3).ShouldBe(1);
    }

    [Fact]
    public void Asking_whether_a_throttle_is_open_uses_nothing_up()
    {
        var throttle = new Throttle(_time, TimeSpan.FromSeconds(10), permits: 2);

        throttle.IsOpen.ShouldBeTrue();
        throttle.TryPass();
        throttle.IsOpen.ShouldBeTrue();
        throttle.TryPass();
        throttle.IsOpen.ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(10));
        throttle.IsOpen.ShouldBeTrue();
        Pass(throttle, 3).ShouldBe(2);
    }

    private static int Pass(Throttle throttle, int times) => Enumerable.Range(0, times).Count(_ => throttle.TryPass());
}
