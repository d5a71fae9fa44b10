using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// Forgets, once an hour, devices that only rules have approved and that were not seen for <see cref="DeviceAuthOptions.ForgetIdleAfter"/>,
/// if that is set.
/// </summary>
internal sealed partial class IdleDevices(DeviceFleet fleet, IDeviceAuthSettings settings, TimeProvider time, ILogger<IdleDevices> logger) : BackgroundService
{
    /// <summary>The interval.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    private readonly PeriodicTimer _timer = new(Interval, time);

    public override void Dispose()
    {
        _timer.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (await _timer.WaitForNextTickAsync(stoppingToken))
        {
            DeviceAuthOptions options = settings.Current;
            if (options.ForgetIdleAfter == TimeSpan.Zero)
                continue;
            try
            {
                int forgotten = await fleet.ForgetIdleAsync(options.ForgetIdleAfter, options.PairingRules, stoppingToken);
                if (forgotten > 0)
                    LogForgotten(forgotten, options.ForgetIdleAfter);
            }
            catch (RegistryUnavailableException e)
            {
                LogPutOff(e.Message);
            }
        }
    }

    [LoggerMessage(1701, LogLevel.Information, "Forgot {Count} devices that a rule had approved and that were not seen for {IdleAfter}.")]
    private partial void LogForgotten(object count, object idleAfter);

    [LoggerMessage(1702, LogLevel.Warning, "Forgetting idle devices failed and is tried again in an hour: {Reason}")]
    private partial void LogPutOff(string reason);
}
