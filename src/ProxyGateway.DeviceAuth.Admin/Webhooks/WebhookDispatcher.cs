using System.Collections.Immutable;
using Microsoft.Extensions.Hosting;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin.Webhooks;

/// <summary>Sends this gateway's events to every webhook, while the host runs. No webhook delays another, or a handshake.</summary>
internal sealed class WebhookDispatcher : IAuditListener, IHostedService, IDisposable
{
    /// <summary>How long queued events may take at shutdown.</summary>
    public static readonly TimeSpan FlushTimeout = TimeSpan.FromSeconds(5);

    private readonly ImmutableArray<Webhook> _webhooks;
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _giveUp;
    private Task _running = Task.CompletedTask;

    public WebhookDispatcher(IEnumerable<Webhook> webhooks, TimeProvider time)
    {
        _webhooks = [.. webhooks];
        _giveUp = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
    }

    public void Entered(AuditEntry entry)
    {
        foreach (Webhook webhook in _webhooks)
            webhook.Take(entry);
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _running = Task.WhenAll(_webhooks.Select(w => Task.Run(() => w.RunAsync(_stopping.Token, _giveUp.Token), CancellationToken.None)));
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (Webhook webhook in _webhooks)
            webhook.Complete();
        await _stopping.CancelAsync();
        _giveUp.CancelAfter(FlushTimeout);
        await _running.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose()
    {
        _stopping.Cancel();
        _giveUp.Cancel();
        foreach (Webhook webhook in _webhooks)
            webhook.Dispose();
    }
}
