namespace ProxyGateway.DeviceAuth;

/// <summary>
/// A point in time, and the time since then: by the monotonic clock or the wall clock, the longer one. The first stands still while the
/// machine sleeps, the second may be set back. So a right that is measured by this never lasts too long.
/// </summary>
internal sealed class TimeMark(TimeProvider time)
{
    private readonly long _timestamp = time.GetTimestamp();
    private readonly DateTimeOffset _utc = time.GetUtcNow();

    /// <summary>The time since then.</summary>
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
