namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>
/// How long to delay the refusals of one client. Once the free failures are used up, each failure doubles the delay, and time forgives
/// failures. Not thread-safe.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="mostCounted">How many failures count beyond the free ones, so that a flood does not count for hours.</param>
public sealed class FailurePacer(TimeProvider time, int mostCounted)
{
    /// <summary>The delay of the first refusal; each further failure doubles it.</summary>
    public static readonly TimeSpan ShortestDelay = TimeSpan.FromMilliseconds(250);

    /// <summary>The longest delay of a refusal.</summary>
    public static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(5);

    /// <summary>The time after which one failure less counts.</summary>
    public static readonly TimeSpan Forgiveness = TimeSpan.FromSeconds(10);

    private double _failures;
    private long _failedAt = time.GetTimestamp();

    /// <summary>Counts a failure and returns how long to delay its refusal.</summary>
    /// <param name="free">How many failures are answered without delay.</param>
    public TimeSpan Fail(int free)
    {
        long now = time.GetTimestamp();
        double forgiven = time.GetElapsedTime(_failedAt, now) / Forgiveness;
        _failures = Math.Min((double)free + mostCounted, Math.Max(0, _failures - forgiven) + 1);
        _failedAt = now;
        int doublings = (int)(Math.Ceiling(_failures) - free) - 1;
        if (doublings < 0)
            return TimeSpan.Zero;
        TimeSpan delay = ShortestDelay * Math.Pow(2, doublings);
        return delay < LongestDelay ? delay : LongestDelay;
    }
}
