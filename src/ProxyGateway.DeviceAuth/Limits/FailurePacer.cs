namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>
/// For how long the refusals of one client are held back: each failure doubles it once the free ones are used up, and time takes failures back. Not for
/// several threads at a time.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="mostCounted">How many failures count beyond the free ones, so that a flood is not remembered for hours.</param>
internal sealed class FailurePacer(TimeProvider time, int mostCounted)
{
    /// <summary>How long the first refusal is held back; each further failure doubles it.</summary>
    public static readonly TimeSpan ShortestDelay = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a refusal is held back at most.</summary>
    public static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(5);

    /// <summary>How long it takes until one failure less counts.</summary>
    public static readonly TimeSpan Forgiveness = TimeSpan.FromSeconds(10);

    private double _failures;
    private long _failedAt = time.GetTimestamp();

    /// <summary>Counts a failure, and says for how long its refusal is to be held back.</summary>
    /// <param name="free">How many failures are answered at once.</param>
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
