using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Threading.Channels;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin.Webhooks;

/// <summary>
/// One webhook: a bounded queue for each rank of events, and one task that sends what is in them: what operators did first, then what rules and time
/// changed, then requests, then the comings and goings of devices that got in, and refusals last. So neither strangers nor a device that connects
/// without end take the room or the time of what matters more. What cannot be delivered is tried again, slower each time, until it is too old; meanwhile other ranks go on. A receiver that chokes on one event misses that
/// one, and one that is away gets what still found room.
/// </summary>
internal sealed class Webhook : IDisposable
{
    /// <summary>How many events of one rank wait at most.</summary>
    public const int Capacity = 1024;

    /// <summary>How long an event is tried.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(15);

    /// <summary>How long a receiver may take to answer.</summary>
    public static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(10);

    private const int Ranks = 5;

    // No batches as the audit writes: each event is sent, and tried again, by itself.
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

    /// <summary>Takes an event, or drops it if it finds no room. Never waits.</summary>
    public void Take(AuditEntry entry)
    {
        if (_kinds.Count > 0 && !_kinds.Contains(entry.Kind))
            return;
        if (_isComplete || !_queues[RankOf(entry)].TryAdd(entry))
            _report.Dropped(_options.Name, 1, "the queue is full");
        else
            _news.Writer.TryWrite(true);
    }

    /// <summary>Takes nothing more.</summary>
    public void Complete()
    {
        _isComplete = true;
        _news.Writer.TryComplete();
    }

    /// <summary>Sends until it takes nothing more and all is sent.</summary>
    /// <param name="stopping">From then on nothing is waited for: what fails is dropped.</param>
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

    // Requests before what can be caused without end, by strangers or by one device that is paired: only so many requests can be open.
    private static int RankOf(AuditEntry entry) => AuditKinds.SourceOf(entry) switch
    {
        AuditSource.Operators => 0,
        AuditSource.Changes => 1,
        AuditSource.Devices => 3,
        _ => entry.Kind is AuditKinds.RequestOpened or AuditKinds.RequestExpired ? 2 : 4,
    };

    /// <summary>Waits until there is something to send, or to try again; false if there will be nothing more.</summary>
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
            // it is time
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
        catch (OperationCanceledException) when (!giveUp.IsCancellationRequested)
        {
            return (Attempt.Failed, "it does not answer in time", null);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return (Attempt.Failed, e.Message, null); // also what a handler of the application throws: it must not end this webhook
        }
    }

    private enum Attempt
    {
        Delivered,
        Failed,
        Refused,
    }
}
