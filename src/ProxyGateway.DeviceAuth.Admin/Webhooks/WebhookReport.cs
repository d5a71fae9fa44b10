using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Diagnostics;

namespace ProxyGateway.DeviceAuth.Admin.Webhooks;

/// <summary>Counts events in metrics, and logs losses: at most one line a minute for each webhook.</summary>
internal sealed partial class WebhookReport
{
    private readonly Dictionary<string, Throttle> _lines = []; // two for each webhook
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly GateTelemetry _telemetry;
    private readonly GateCounter _delivered;
    private readonly GateCounter _dropped;

    public WebhookReport(TimeProvider time, GateTelemetry telemetry, ILogger<WebhookReport> logger)
    {
        (_time, _telemetry, _logger) = (time, telemetry, logger);
        _delivered = telemetry.CreateCounter("proxygateway.webhook.delivered", "{event}", "Events that a webhook's receiver has taken.");
        _dropped = telemetry.CreateCounter("proxygateway.webhook.dropped", "{event}", "Events that a webhook's receiver was not told of.");
    }

    /// <summary>From now on the meter has how many events wait for each of these.</summary>
    public void Observe(IReadOnlyCollection<Webhook> webhooks) => _telemetry.Meter.CreateObservableUpDownCounter(
        "proxygateway.webhook.queue.length",
        () => webhooks.Select(webhook => new Measurement<int>(webhook.Waiting, Tag(webhook.Name))),
        "{event}",
        "Events that wait for a webhook's receiver.");

    public void Delivered(string webhook) => _delivered.Add(1, Tag(webhook));

    public void Dropped(string webhook, int count, string reason)
    {
        _dropped.Add(count, Tag(webhook));
        if (IsDue("dropped " + webhook))
            LogDropped(webhook, reason);
    }

    public void Failed(string webhook, string reason)
    {
        if (IsDue("failed " + webhook))
            LogFailed(webhook, reason);
    }

    private static KeyValuePair<string, object?> Tag(string webhook) => new("proxygateway.webhook", webhook);

    private bool IsDue(string what)
    {
        lock (_lines)
        {
            if (!_lines.TryGetValue(what, out Throttle? throttle))
                _lines[what] = throttle = Throttle.OncePerMinute(_time);
            return throttle.TryPass();
        }
    }

    [LoggerMessage(1601, LogLevel.Warning, "The webhook {Webhook} misses some events: {Reason}.")]
    private partial void LogDropped(string webhook, string reason);

    [LoggerMessage(1602, LogLevel.Warning, "The webhook {Webhook} does not take events now and is tried again: {Reason}.")]
    private partial void LogFailed(string webhook, string reason);
}
