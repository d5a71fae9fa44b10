namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>Closes a session when its grant runs out: by how long that was away when the store said so, whatever the time is here.</summary>
internal sealed class SessionEnd : IDisposable
{
    // A timer does not take more than 49 days.
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    private readonly Session _session;
    private readonly TimeProvider _time;
    private readonly TimeSpan _after;
    private readonly long _since;
    private readonly ITimer _timer;

    /// <param name="session">The session.</param>
    /// <param name="at">When its grant runs out.</param>
    /// <param name="now">The time now, by the same clock.</param>
    /// <param name="time">Measures what is between.</param>
    public SessionEnd(Session session, DateTimeOffset at, DateTimeOffset now, TimeProvider time)
    {
        _session = session;
        _time = time;
        _after = at - now;
        _since = time.GetTimestamp();
        At = at;
        _timer = time.CreateTimer(_ => Check(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Wait(_after);
    }

    public DateTimeOffset At { get; }

    public void Dispose() => _timer.Dispose();

    private void Check()
    {
        TimeSpan left = _after - _time.GetElapsedTime(_since);
        if (left > TimeSpan.Zero)
            Wait(left);
        else
            _session.Close(WebSockets.Closing.GrantRevoked);
    }

    private void Wait(TimeSpan left) =>
        _timer.Change(left <= TimeSpan.Zero ? TimeSpan.Zero : left < LongestWait ? left : LongestWait, Timeout.InfiniteTimeSpan);
}
