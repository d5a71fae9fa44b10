using Microsoft.Extensions.Time.Testing;

namespace ProxyGateway.Tests.Shared;

/// <summary>Clocks as a machine has them: one that stands still while it sleeps, and drives timers, and one that can be set.</summary>
internal sealed class TwoClocks : TimeProvider
{
    private readonly FakeTimeProvider _monotonic = new();
    private TimeSpan _ahead;

    public override long TimestampFrequency => _monotonic.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => _monotonic.GetUtcNow() + _ahead;

    public override long GetTimestamp() => _monotonic.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        _monotonic.CreateTimer(callback, state, dueTime, period);

    /// <summary>Time passes while the machine is awake.</summary>
    public void Advance(TimeSpan time) => _monotonic.Advance(time);

    /// <summary>The machine sleeps: only the wall clock goes on.</summary>
    public void Sleep(TimeSpan time) => _ahead += time;

    /// <summary>Somebody sets the wall clock back.</summary>
    public void SetBack(TimeSpan by) => _ahead -= by;
}
