using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Overview;

/// <summary>
/// Looks every ten seconds at what cannot be counted as it happens, live sessions and whether the registry answers, and every half minute at open requests. Then
/// it writes what was counted into the registry, for the other gateways; and once more at the end.
/// </summary>
internal sealed partial class OverviewSampler(
    OverviewRing ring, OverviewDocuments documents, DeviceRegistry registry, SessionTable sessions, TimeProvider time, ILogger<OverviewSampler> logger)
    : BackgroundService
{
    /// <summary>The interval of looks.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>How many open requests are counted at most.</summary>
    public const int MostRequests = 200;

    private const int LooksPerWrite = 3;
    private static readonly TimeSpan FlushTimeout = TimeSpan.FromSeconds(2);

    private readonly PeriodicTimer _timer = new(Interval, time);
    private bool _isFailing;

    /// <summary>How many requests are open; <see cref="MostRequests"/> also if there are more.</summary>
    /// <exception cref="RegistryUnavailableException">The registry cannot be reached.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static async ValueTask<int> CountRequestsAsync(DeviceRegistry registry, CancellationToken cancellationToken) =>
        (await registry.ListOpenRequestsAsync(cursor: null, MostRequests, cancellationToken)).Items.Count;

    public override void Dispose()
    {
        _timer.Dispose();
        base.Dispose();
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (ExecuteTask is { IsCompleted: false })
            return; // it still writes, and nobody waits any longer
        using var flush = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        flush.CancelAfter(FlushTimeout);
        await WriteAsync(isLast: true, flush.Token);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        for (int look = 1; await _timer.WaitForNextTickAsync(stoppingToken); look++)
        {
            bool isWriting = look % LooksPerWrite == 0;
            await LookAsync(isWriting, stoppingToken);
            if (isWriting)
                await WriteAsync(isLast: false, stoppingToken);
        }
    }

    private async Task LookAsync(bool countsRequests, CancellationToken cancellationToken)
    {
        TimeSpan? answeredIn = null;
        int? requests = null;
        try
        {
            long start = time.GetTimestamp();
            await registry.PingAsync(cancellationToken);
            answeredIn = time.GetElapsedTime(start);
            if (countsRequests)
                requests = await CountRequestsAsync(registry, cancellationToken);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // noted as a look without an answer; that the registry is away is logged where devices are refused
        }

        ring.Note(sessions.Count, requests, answeredIn);
    }

    private async Task WriteAsync(bool isLast, CancellationToken cancellationToken)
    {
        if (!documents.AreKept)
            return;
        foreach (long hour in ring.TakeChangedHours())
        {
            try
            {
                await documents.WriteAsync(
                    hour, ring.Read(hour * OverviewRing.PerHour, ((hour + 1) * OverviewRing.PerHour) - 1), isLast ? 0 : sessions.Count, isLast, cancellationToken);
                _isFailing = false;
            }
            catch (Exception e)
            {
                ring.PutBack(hour);
                if (!_isFailing && !isLast)
                    LogFailed(e.Message);
                _isFailing = true;
            }
        }
    }

    [LoggerMessage(1402, LogLevel.Warning, "What this gateway has counted for the overview cannot be written to the registry now: {Reason}")]
    private partial void LogFailed(string reason);
}
