using ProxyGateway.DeviceAuth;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests;

public sealed class TimeMarkTests
{
    private readonly TwoClocks _time = new();

    [Fact]
    public void The_clock_with_the_longer_span_counts()
    {
        var mark = new TimeMark(_time);
        mark.Elapsed.ShouldBe(TimeSpan.Zero);

        _time.Advance(TimeSpan.FromSeconds(3));
        mark.Elapsed.ShouldBe(TimeSpan.FromSeconds(3));
        _time.Sleep(TimeSpan.FromHours(8));
        mark.Elapsed.ShouldBe(TimeSpan.FromHours(8) + TimeSpan.FromSeconds(3));
        _time.SetBack(TimeSpan.FromDays(1));
        mark.Elapsed.ShouldBe(TimeSpan.FromSeconds(3));
    }
}
