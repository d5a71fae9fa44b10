namespace ProxyGateway.DeviceAuth;

/// <summary>
/// Lets so much pass in a span of time, and drops the rest: what strangers can cause as often as they like must not fill a log or the audit. Not for
/// several threads at a time. <see cref="PacedLogger"/> is for a log that also tells how much was left out.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="span">The span; each begins with the first that passes in it.</param>
/// <param name="permits">How much passes in it.</param>
internal sealed class Throttle(TimeProvider time, TimeSpan span, int permits = 1)
{
    private long? _began;
    private int _left;

    /// <summary>Whether something would pass now.</summary>
    public bool IsOpen => _left > 0 || IsOver;

    private bool IsOver => _began is not { } began || time.GetElapsedTime(began) >= span;

    public static Throttle OncePerMinute(TimeProvider time) => new(time, TimeSpan.FromMinutes(1));

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
