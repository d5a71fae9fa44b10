namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// Closes a session when its grant ends: after the time that was left by the store's clock, whatever the local clock says. A timer stands
/// still while the machine sleeps, so this one checks the clocks every few seconds.
/// </summary>
internal sealed class SessionEnd : IDisposable
{
    /// <summary>How late the end may be noticed after the machine has slept.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    private readonly DeviceSession _session;
    private readonly TimeMark _since;
    private readonly TimeSpan _after;
    private readonly ITimer _timer;

    /// <param name="session">The session.</param>
    /// <param name="at">When its grant ends, by the store's clock.</param>
    /// <param name="now">The store's time, by the same clock.</param>
    /// <param name="since">A local time that was not later than that.</param>
    /// <param name="time">The clock and timers.</param>
    public SessionEnd(DeviceSession session, DateTimeOffset at, DateTimeOffset now, TimeMark since, TimeProvider time)
    {
        _session = session;
        _since = since;
        _after = at - now;
        At = at;
        _timer = time.CreateTimer(_ => Check(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Wait(Left);
    }

    public DateTimeOffset At { get; }

    private TimeSpan Left => _after - _since.Elapsed;

    public void Dispose() => _timer.Dispose();

    private void Check()
    {
        TimeSpan left = Left;
        if (left > TimeSpan.Zero)
            Wait(left);
        else
            _session.Close(WebSockets.Closing.GrantRevoked);
    }

    private void Wait(TimeSpan left) =>
        _timer.Change(left <= TimeSpan.Zero ? TimeSpan.Zero : left < LongestWait ? left : LongestWait, Timeout.InfiniteTimeSpan);
}
