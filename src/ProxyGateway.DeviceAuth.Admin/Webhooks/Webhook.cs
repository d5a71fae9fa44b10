using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Threading.Channels;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin.Webhooks;

/// <summary>
/// One webhook: a bounded queue for each rank of events, and one task that sends them: first operators' actions, then changes by rules and
/// time, then requests, then connections of admitted devices, and refusals last. So neither strangers nor a device that reconnects all the
/// time can push out or delay more important events. A failed event is tried again, slower each time, until it is too old; meanwhile other
/// ranks continue. A receiver that rejects one event misses that one, and a receiver that was down gets the events that still had room.
/// </summary>
internal sealed class Webhook : IDisposable
{
    /// <summary>How many events of one rank may wait.</summary>
    public const int Capacity = 1024;

    /// <summary>For how long an event is tried.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(15);

    /// <summary>How long a receiver may take to answer.</summary>
    public static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(10);

    private const int Ranks = 5;

    // No batches as in the audit: each event is sent, and tried again, by itself.
    private readonly WebhookQueue[] _queues;
    private readonly Channel<bool> _news = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { SingleReader = true, FullMode = BoundedChannelFullMode.DropWrite });
    private readonly FrozenSet<string> _kinds;
    private readonly WebhookOptions _options;
    private readonly ImmutableArray<byte> _secret;
    private readonly HttpClient _http;
    private readonly TimeProvider _time;
    private readonly WebhookReport _report;
    private volatile bool _isComplete;

    public Webhook(WebhookOptions options, ImmutableArray<byte> secret, HttpClient http, TimeProvider time, WebhookReport report)
    {
        (_options, _secret, _http, _time, _report) = (options, secret, http, time, report);
        _queues = [.. Enumerable.Range(0, Ranks).Select(_ => new WebhookQueue(time))];
        _kinds = options.Events.ToFrozenSet(StringComparer.Ordinal);
    }

    /// <summary>Its name.</summary>
    public string Name => _options.Name;

    /// <summary>How many events wait.</summary>
    public int Waiting => _queues.Sum(queue => queue.Count);

    /// <summary>Takes an event, or drops it if there is no room. Never waits.</summary>
    public void Take(AuditEntry entry)
    {
        if (_kinds.Count > 0 && !_kinds.Contains(entry.Kind))
            return;
        if (_isComplete || !_queues[RankOf(entry)].TryAdd(entry))
            _report.Dropped(_options.Name, 1, "the queue is full");
        else
            _news.Writer.TryWrite(true);
    }

    /// <summary>Takes no more events.</summary>
    public void Complete()
    {
        _isComplete = true;
        _news.Writer.TryComplete();
    }

    /// <summary>Sends until no more events are taken and all are sent.</summary>
    /// <param name="stopping">Cancelled when there is no more waiting: failed events are dropped.</param>
    /// <param name="giveUp">Ends it at once.</param>
    public async Task RunAsync(CancellationToken stopping, CancellationToken giveUp)
    {
        try
        {
            bool goesOn = true;
            while (goesOn)
            {
                WebhookQueue? due = _queues.FirstOrDefault(q => q.Wait is { } wait && (wait == TimeSpan.Zero || stopping.IsCancellationRequested));
                if (due is null)
                    goesOn = await WaitAsync(stopping, giveUp);
                else
                    await DeliverFirstAsync(due, stopping, giveUp);
            }
        }
        catch (OperationCanceledException) when (giveUp.IsCancellationRequested)
        {
            _report.Dropped(_options.Name, _queues.Sum(q => q.Count), "the gateway stops");
        }
    }

    public void Dispose() => _http.Dispose();

    // Requests come before events that strangers or one paired device can cause without end: the number of open requests is bounded.
    private static int RankOf(AuditEntry entry) => AuditKinds.SourceOf(entry) switch
    {
        AuditSource.Operators => 0,
        AuditSource.Changes => 1,
        AuditSource.Devices => 3,
        _ => entry.Kind is AuditKinds.RequestOpened or AuditKinds.RequestExpired ? 2 : 4,
    };

    /// <summary>Waits until an event can be sent or tried again; false if there will be no more.</summary>
    private async Task<bool> WaitAsync(CancellationToken stopping, CancellationToken giveUp)
    {
        TimeSpan? wait = _queues.Min(q => q.Wait);
        if (wait is null)
        {
            bool isOpen = await _news.Reader.WaitToReadAsync(giveUp);
            _news.Reader.TryRead(out _);
            return isOpen || _queues.Any(q => q.Count > 0);
        }

        using var due = new CancellationTokenSource(wait.Value, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(due.Token, stopping, giveUp);
        try
        {
            await _news.Reader.ReadAsync(either.Token);
        }
        catch (ChannelClosedException)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        catch (OperationCanceledException) when (!giveUp.IsCancellationRequested)
        {
            // the wait is over
        }

        giveUp.ThrowIfCancellationRequested();
        return true;
    }

    private async Task DeliverFirstAsync(WebhookQueue queue, CancellationToken stopping, CancellationToken giveUp)
    {
        if (!queue.TryPeek(out AuditEntry? entry, out WebhookMessage? message))
            return;
        (Attempt attempt, string failure, TimeSpan? retryAfter) = await TryAsync(message, giveUp);
        if (attempt == Attempt.Delivered)
        {
            queue.RemoveFirst(isDelivered: true);
            _report.Delivered(_options.Name);
        }
        else if (attempt == Attempt.Refused || stopping.IsCancellationRequested || _time.GetUtcNow() - entry.Time >= MaxAge)
        {
            queue.RemoveFirst(isDelivered: false);
            _report.Dropped(_options.Name, 1, failure);
        }
        else
        {
            queue.PutOff(retryAfter);
            _report.Failed(_options.Name, failure);
        }
    }

    private async Task<(Attempt Attempt, string Failure, TimeSpan? RetryAfter)> TryAsync(WebhookMessage message, CancellationToken giveUp)
    {
        using var timeout = new CancellationTokenSource(AnswerTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, giveUp);
        try
        {
            DateTimeOffset now = _time.GetUtcNow();
            using HttpRequestMessage request = message.ToRequest(_options.Url, _secret.AsSpan(), now);
            // its body is not needed
            using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            int status = (int)response.StatusCode;
            Attempt attempt = status switch
            {
                >= 200 and < 300 => Attempt.Delivered,
                408 or 425 or 429 or >= 500 => Attempt.Failed,
                _ => Attempt.Refused,
            };
            return (attempt, $"it answers with status {status}", response.Headers.RetryAfter is { } after ? after.Delta ?? after.Date - now : null);
        }
        catch (OperationCanceledException) when (!giveUp.IsCancellationRequested)
        {
            return (Attempt.Failed, "it does not answer in time", null);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return (Attempt.Failed, e.Message, null); // also for exceptions of an application's handler, which must not end this webhook
        }
    }

    private enum Attempt
    {
        Delivered,
        Failed,
        Refused,
    }
}
