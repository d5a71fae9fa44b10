namespace ProxyGateway.DeviceAuth;

/// <summary>
/// Lets a bounded number pass in a span of time, and drops the rest: events that strangers can cause at any rate must not fill a log or the
/// audit. Not thread-safe. <see cref="PacedLogger"/> is for a log that also counts the rest.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="span">The span; each begins with the first event that passes in it.</param>
/// <param name="permits">How many events pass in it.</param>
public sealed class Throttle(TimeProvider time, TimeSpan span, int permits = 1)
{
    private long? _began;
    private int _left;

    /// <summary>Whether an event would pass now.</summary>
    public bool IsOpen => _left > 0 || IsOver;

    private bool IsOver => _began is not { } began || time.GetElapsedTime(began) >= span;

    /// <summary>Lets one pass in a minute.</summary>
    public static Throttle OncePerMinute(TimeProvider time) => new(time, TimeSpan.FromMinutes(1));

    /// <summary>Whether this one passes.</summary>
    public bool TryPass()
    {
        if (IsOver)
            (_began, _left) = (time.GetTimestamp(), permits);
        if (_left == 0)
            return false;
        _left--;
        return true;
    }
}
