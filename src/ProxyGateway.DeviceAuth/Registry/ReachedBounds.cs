using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// Logs when rules are at a bound of paired devices: one line for each rule and bound, and again each <see cref="Pace"/> while it lasts.
/// </summary>
internal sealed partial class ReachedBounds(DeviceRegistry registry, TimeProvider time, ILogger<ReachedBounds> logger) : IHostedService
{
    /// <summary>How often one bound is logged.</summary>
    public static readonly TimeSpan Pace = TimeSpan.FromMinutes(10);

    private readonly Lock _lock = new();
    private readonly Dictionary<ReachedBound, Throttle> _throttles = []; // at most two for each rule in the configuration

    public Task StartAsync(CancellationToken cancellationToken)
    {
        registry.BoundReached += Tell;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        registry.BoundReached -= Tell;
        return Task.CompletedTask;
    }

    private void Tell(ReachedBound bound)
    {
        lock (_lock)
        {
            if (!_throttles.TryGetValue(bound, out Throttle? throttle))
                _throttles[bound] = throttle = new Throttle(time, Pace);
            if (!throttle.TryPass())
                return;
        }

        if (bound.IsInAll)
            LogInAll(bound.Rule, bound.Limit);
        else
            LogPerHour(bound.Rule, bound.Limit);
    }

    [LoggerMessage(1710, LogLevel.Error,
        "Rule {Rule} has paired {Limit} devices within an hour (MaxDevicesPerHour), and pairs no more for now: new devices wait for an operator. Unless you expect so many, a process is making up keys.")]
    private partial void LogPerHour(string rule, int limit);

    [LoggerMessage(1711, LogLevel.Error,
        "Rules have paired {Limit} devices in all (DeviceAuth:Pairing:MaxDevicesByRules), and rule {Rule} pairs no more: new devices wait for an operator until some are removed, or forgotten by ForgetIdleAfter.")]
    private partial void LogInAll(string rule, int limit);
}
