using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Limits;

namespace ProxyGateway.Tests.Limits;

public sealed class FailurePacerTests
{
    private const int Free = 5;

    private readonly FakeTimeProvider _time = new();
    private readonly FailurePacer _pacer;

    public FailurePacerTests() => _pacer = new FailurePacer(_time, mostCounted: 7);

    [Fact]
    public void The_first_refusals_are_immediate_and_then_each_waits_twice_as_long() =>
        Delays(14).ShouldBe([0, 0, 0, 0, 0, 250, 500, 1000, 2000, 4000, 5000, 5000, 5000, 5000]);

    [Fact]
    public void Failures_are_forgiven_in_time()
    {
        Delays(1000).Last().ShouldBe(5000);

        _time.Advance(FailurePacer.Forgiveness * 4);
        Delays(1).ShouldBe([2000]);

        _time.Advance(FailurePacer.Forgiveness * 12);
        Delays(6).ShouldBe([0, 0, 0, 0, 0, 250]);
    }

    [Fact]
    public void The_number_of_counted_failures_is_bounded()
    {
        var pacer = new FailurePacer(_time, mostCounted: 2);

        Delays(1000, pacer).Last().ShouldBe(500);
        _time.Advance(FailurePacer.Forgiveness * 3);
        Delays(2, pacer).ShouldBe([0, 250], "three of seven are forgiven, then one is added, and another");
    }

    private int[] Delays(int times, FailurePacer? pacer = null) =>
        [.. Enumerable.Range(0, times).Select(_ => (int)(pacer ?? _pacer).Fail(Free).TotalMilliseconds)];
}
