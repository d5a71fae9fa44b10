using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Threading.Channels;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin.Webhooks;

/// <summary>
/// One webhook: a bounded queue, and one task that sends what is in it, in its order. What cannot be delivered is tried again, slower each time,
/// until it is too old; so a receiver that chokes on one event misses that one, and one that is away gets what still found room in the queue.
/// </summary>
internal sealed class Webhook : IDisposable
{
    /// <summary>How many events wait at most.</summary>
    public const int Capacity = 1024;

    /// <summary>How long an event is tried.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(15);

    /// <summary>How long a receiver may take to answer.</summary>
    public static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    private readonly Channel<AuditEntry> _queue = Channel.CreateBounded<AuditEntry>(new BoundedChannelOptions(Capacity) { SingleReader = true });
    private readonly FrozenSet<string> _kinds;
    private readonly WebhookOptions _options;
    private readonly ImmutableArray<byte> _secret;
    private readonly HttpClient _http;
    private readonly TimeProvider _time;
    private readonly WebhookReport _report;
    private TimeSpan _pause = FirstPause;

    public Webhook(WebhookOptions options, ImmutableArray<byte> secret, TimeProvider time, WebhookReport report)
    {
        (_options, _secret, _time, _report) = (options, secret, time, report);
        _kinds = options.Events.ToFrozenSet(StringComparer.Ordinal);
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // the configured address, and no other
            UseCookies = false,
            UseProxy = !options.Url.IsLoopback,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>Takes an event, or drops it if it finds no room. Never waits.</summary>
    public void Take(AuditEntry entry)
    {
        if ((_kinds.Count == 0 || _kinds.Contains(entry.Kind)) && !_queue.Writer.TryWrite(entry))
            _report.Dropped(_options.Name, 1, "the queue is full");
    }

    /// <summary>Takes nothing more.</summary>
    public void Complete() => _queue.Writer.TryComplete();

    /// <summary>Sends until it takes nothing more and all is sent.</summary>
    /// <param name="stopping">From then on nothing is waited for: what fails is dropped.</param>
    /// <param name="giveUp">Ends it at once.</param>
    public async Task RunAsync(CancellationToken stopping, CancellationToken giveUp)
    {
        try
        {
            await foreach (AuditEntry entry in _queue.Reader.ReadAllAsync(giveUp))
                await DeliverAsync(entry, stopping, giveUp);
        }
        catch (OperationCanceledException) when (giveUp.IsCancellationRequested)
        {
            _report.Dropped(_options.Name, _queue.Reader.Count + 1, "the gateway stops");
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task DeliverAsync(AuditEntry entry, CancellationToken stopping, CancellationToken giveUp)
    {
        WebhookMessage message = WebhookMessage.Of(entry);
        string failure;
        do
        {
            (Attempt attempt, failure, TimeSpan? retryAfter) = await TryAsync(message, giveUp);
            if (attempt == Attempt.Delivered)
            {
                _pause = FirstPause;
                _report.Delivered(_options.Name);
                return;
            }

            if (attempt == Attempt.Refused || stopping.IsCancellationRequested)
                break;
            _report.Failed(_options.Name, failure);
            await PauseAsync(retryAfter, stopping);
            giveUp.ThrowIfCancellationRequested();
        }
        while (_time.GetUtcNow() - entry.Time < MaxAge);
        _report.Dropped(_options.Name, 1, failure);
    }

    private async Task<(Attempt Attempt, string Failure, TimeSpan? RetryAfter)> TryAsync(WebhookMessage message, CancellationToken giveUp)
    {
        using var timeout = new CancellationTokenSource(AnswerTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, giveUp);
        try
        {
            DateTimeOffset now = _time.GetUtcNow();
            using HttpRequestMessage request = message.ToRequest(_options.Url, _secret.AsSpan(), now);
            using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token); // its body is of no interest
            int status = (int)response.StatusCode;
            Attempt attempt = status switch
            {
                >= 200 and < 300 => Attempt.Delivered,
                408 or 425 or 429 or >= 500 => Attempt.Failed,
                _ => Attempt.Refused,
            };
            return (attempt, $"it answers with status {status}", response.Headers.RetryAfter is { } after ? after.Delta ?? after.Date - now : null);
        }
        catch (HttpRequestException e)
        {
            return (Attempt.Failed, e.Message, null);
        }
        catch (OperationCanceledException) when (!giveUp.IsCancellationRequested)
        {
            return (Attempt.Failed, "it does not answer in time", null);
        }
    }

    /// <summary>A little less or more than the pause, so that many gateways do not come back together; and no less than the receiver asks for, within bounds.</summary>
    private async Task PauseAsync(TimeSpan? retryAfter, CancellationToken stopping)
    {
        TimeSpan pause = _pause * (0.8 + (Random.Shared.NextDouble() * 0.4));
        _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
        if (retryAfter > pause)
            pause = retryAfter < LongestPause ? retryAfter.Value : LongestPause;
        await Task.Delay(pause, _time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private enum Attempt
    {
        Delivered,
        Failed,
        Refused,
    }
}
