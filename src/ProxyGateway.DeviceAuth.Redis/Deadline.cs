namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>The time by which a call must end, with all its commands.</summary>
internal readonly struct Deadline
{
    // A timer that fires this late or later shows that the process itself stood still.
    private const double Lateness = 0.25;

    /// <summary>How many more time-outs an answer that seems to have arrived may take.</summary>
    public const int SecondChance = 4;

    private readonly TimeProvider _time;
    private readonly TimeSpan _timeout;
    private readonly long _started;

    /// <summary>A deadline from now on.</summary>
    public Deadline(TimeSpan timeout, TimeProvider? time = null)
    {
        _time = time ?? TimeProvider.System;
        _timeout = timeout;
        _started = _time.GetTimestamp();
    }

    public TimeSpan Remaining
    {
        get
        {
            TimeSpan remaining = _timeout - _time.GetElapsedTime(_started);
            return remaining > TimeSpan.Zero ? remaining : TimeSpan.Zero;
        }
    }

    /// <summary>
    /// Waits for the answer to a command that was sent. Redis is too slow only if it had the time: if some of the answer has arrived
    /// unread, or this process noticed the deadline far too late, it waits once more. The command is not repeated.
    /// </summary>
    /// <param name="running">The command.</param>
    /// <param name="isUnread">Whether bytes have arrived that were not read.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="TimeoutException">There is none.</exception>
    public async Task<T> AnswerAsync<T>(Task<T> running, Func<bool> isUnread, CancellationToken cancellationToken)
    {
        try
        {
            return await running.WaitAsync(Remaining, _time, cancellationToken);
        }
        catch (TimeoutException) when (running.IsCompleted || isUnread() || _time.GetElapsedTime(_started) > _timeout * (1 + Lateness))
        {
            return await running.WaitAsync(SecondChance * _timeout, _time, cancellationToken);
        }
    }
}
