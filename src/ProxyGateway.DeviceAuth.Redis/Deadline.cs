namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>Until when a call may take, however many commands it needs.</summary>
internal readonly struct Deadline
{
    // A timer that fires this much too late, or later, says that the process itself stood still.
    private const double Lateness = 0.25;

    /// <summary>How often the time-out again an answer may take that seems to be here already.</summary>
    public const int SecondChance = 4;

    private readonly TimeProvider _time;
    private readonly TimeSpan _timeout;
    private readonly long _started;

    /// <summary>From now on.</summary>
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
    /// The answer to a command that was sent. Redis is too slow only if it had the time: where something of it is here and unread, or this process
    /// noticed the deadline far too late, the answer is waited for once more. The command is not repeated.
    /// </summary>
    /// <param name="running">The command.</param>
    /// <param name="isUnread">Whether something is here that was not read.</param>
    /// <param name="cancellationToken">Gives up.</param>
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
