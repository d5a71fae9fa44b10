using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin.Webhooks;

/// <summary>
/// Events of one rank that wait for a webhook, in their order. The first of them may have been tried, and be put off. Entries are bounded
/// (<see cref="AuditBounds"/>), so a full queue of refusals holds 1 MiB. Any number may add, one takes.
/// </summary>
internal sealed class WebhookQueue(TimeProvider time)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    private readonly Channel<AuditEntry> _entries = Channel.CreateBounded<AuditEntry>(new BoundedChannelOptions(Webhook.Capacity) { SingleReader = true });
    private (AuditEntry Entry, WebhookMessage Message)? _first;
    private TimeSpan _pause = FirstPause;
    private long _putOffAt;
    private TimeSpan _putOffFor;

    /// <summary>How many there are, the one that is being tried included.</summary>
    public int Count => _entries.Reader.Count + (_first is null ? 0 : 1);

    /// <summary>How much longer the first is put off; zero if it is not, and null if there is none.</summary>
    public TimeSpan? Wait
    {
        get
        {
            if (_first is null && _entries.Reader.Count == 0)
                return null;
            TimeSpan left = _first is null ? TimeSpan.Zero : _putOffFor - time.GetElapsedTime(_putOffAt);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>Adds an event, if there is room.</summary>
    public bool TryAdd(AuditEntry entry) => _entries.Writer.TryWrite(entry);

    /// <summary>The first event and its message, which is the same at every attempt.</summary>
    public bool TryPeek([NotNullWhen(true)] out AuditEntry? entry, [NotNullWhen(true)] out WebhookMessage? message)
    {
        if (_first is null && _entries.Reader.TryRead(out AuditEntry? next))
            (_first, _putOffFor) = ((next, WebhookMessage.Of(next)), TimeSpan.Zero);
        (entry, message) = _first ?? default;
        return entry is not null && message is not null;
    }

    /// <summary>The first is done with.</summary>
    /// <param name="isDelivered">Whether the receiver has taken it: then the next failure is waited for as the first is.</param>
    public void RemoveFirst(bool isDelivered)
    {
        _first = null;
        if (isDelivered)
            _pause = FirstPause;
    }

    /// <summary>
    /// The first is tried again later: a little less or more than the pause, so that many gateways do not come back together, and no earlier
    /// than the receiver asks for, within bounds. The next pause is twice as long.
    /// </summary>
    /// <param name="retryAfter">When the receiver wants to see it again; null if it has not said.</param>
    public void PutOff(TimeSpan? retryAfter)
    {
        TimeSpan pause = _pause * (0.8 + (Random.Shared.NextDouble() * 0.4));
        _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
        if (retryAfter > pause)
            pause = retryAfter < LongestPause ? retryAfter.Value : LongestPause;
        (_putOffAt, _putOffFor) = (time.GetTimestamp(), pause);
    }
}
