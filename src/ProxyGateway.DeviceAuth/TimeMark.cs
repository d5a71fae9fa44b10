namespace ProxyGateway.DeviceAuth;

/// <summary>
/// A moment, and how long ago it was: by the monotonic clock or by the wall clock, whichever says longer. The first stands still while the
/// machine sleeps, the second may be set back. Whoever measures a right by this never measures it too long.
/// </summary>
internal sealed class TimeMark(TimeProvider time)
{
    private readonly long _timestamp = time.GetTimestamp();
    private readonly DateTimeOffset _utc = time.GetUtcNow();

    /// <summary>How long ago it was.</summary>
    public TimeSpan Elapsed
    {
        get
        {
            TimeSpan monotonic = time.GetElapsedTime(_timestamp);
            TimeSpan wall = time.GetUtcNow() - _utc;
            return monotonic > wall ? monotonic : wall;
        }
    }
}
