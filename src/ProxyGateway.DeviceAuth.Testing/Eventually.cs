using System.Diagnostics;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>Waits for conditions, with a bound.</summary>
internal static class Eventually
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Waits until the condition holds, and returns how long that took.</summary>
    /// <exception cref="TimeoutException">It does not hold in time.</exception>
    public static async Task<TimeSpan> HoldsAsync(Func<Task<bool>> condition, string what, TimeSpan? patience = null)
    {
        long started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > (patience ?? Patience))
                throw new TimeoutException($"In {patience ?? Patience}, this did not come to hold: {what}");
            await Task.Delay(5);
        }

        return Stopwatch.GetElapsedTime(started);
    }
}
