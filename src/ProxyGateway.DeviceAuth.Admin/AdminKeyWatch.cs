using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Renews the keys once a second, so that no request has to.</summary>
internal sealed class AdminKeyWatch(AdminKeyRing keys, TimeProvider time, ILogger<AdminKeyWatch> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private string? _complaint;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            Look();
    }

    private void Look()
    {
        KeyRenewal renewal = keys.Renew();
        if (renewal.CreatedFile is { } file)
            AccessLog.KeyCreated(logger, file);
        if (renewal.IsChange)
            AccessLog.KeysChanged(logger, string.Join(", ", renewal.Added), string.Join(", ", renewal.Removed), string.Join(", ", renewal.Changed));

        if (renewal.Shortage is { } shortage)
        {
            if (_complaint != nameof(renewal.Shortage))
                AccessLog.KeyFilePutOff(logger, shortage.Message);
            _complaint = nameof(renewal.Shortage);
            return;
        }

        // Logged once, and not once a second. The system's message about a file that cannot be made names a temporary file, which differs
        // each time.
        string? complaint = renewal.Unfit is null or InvalidDataException ? renewal.Unfit?.Message : renewal.Unfit.GetType().Name;
        if (complaint != _complaint && renewal.Unfit is { } unfit)
            AccessLog.KeyFileUnfit(logger, unfit.Message);
        _complaint = complaint;
    }
}
