using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// Signals streams of events that the audit has grown. The registry is asked once per interval for all streams together, and not at all
/// without streams.
/// </summary>
internal sealed class AuditTail(TimeProvider time)
{
    /// <summary>How often the registry is asked.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(300);

    private readonly Lock _lock = new();
    private Task _grown = Task.CompletedTask;
    private long _newest;
    private int _waiting;

    /// <summary>Waits until there may be an entry after this one.</summary>
    /// <param name="audit">The audit.</param>
    /// <param name="last">The id of the last known entry.</param>
    /// <param name="patience">The maximum wait; zero or less: none.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <returns>The id of the newest known entry.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<long> WaitAsync(IAuditStore audit, long last, TimeSpan patience, CancellationToken cancellationToken)
    {
        Task grown;
        lock (_lock)
        {
            if (last < _newest || patience <= TimeSpan.Zero)
                return _newest;
            _waiting++;
            if (_grown.IsCompleted)
                _grown = LookUntilGrownAsync(audit);
            grown = _grown;
        }

        try
        {
            await grown.WaitAsync(patience, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
        }
        finally
        {
            lock (_lock)
            {
                _waiting--;
            }
        }

        lock (_lock)
        {
            return _newest;
        }
    }

    private async Task LookUntilGrownAsync(IAuditStore audit)
    {
        while (true)
        {
            await Task.Delay(Interval, time);
            lock (_lock)
            {
                if (_waiting == 0)
                    return;
            }

            long newest = await NewestAsync(audit);
            lock (_lock)
            {
                if (newest > _newest)
                {
                    _newest = newest;
                    return;
                }
            }
        }
    }

    private static async Task<long> NewestAsync(IAuditStore audit)
    {
        try
        {
            return (await audit.ListAsync(new AuditFilter(), before: null, limit: 1, CancellationToken.None)).Items is [var newest, ..] ? newest.Id : 0;
        }
        catch (RegistryUnavailableException)
        {
            return 0; // later entries are found once the registry is back
        }
    }
}
