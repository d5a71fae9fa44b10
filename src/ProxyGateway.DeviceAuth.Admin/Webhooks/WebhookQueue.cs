using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin.Webhooks;

/// <summary>
/// The waiting events of one rank, in order. The first may have failed and be delayed. Entries are bounded (<see cref="AuditBounds"/>), so
/// a full queue of refusals holds 1 MiB. Several threads may add, one takes.
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

    /// <summary>The number of events, including the one that is being tried.</summary>
    public int Count => _entries.Reader.Count + (_first is null ? 0 : 1);

    /// <summary>How much longer the first is delayed; zero if it is not, and null if there is none.</summary>
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

    /// <summary>Removes the first event.</summary>
    /// <param name="isDelivered">Whether the receiver took it: then the next failure is delayed like the first.</param>
    public void RemoveFirst(bool isDelivered)
    {
        _first = null;
        if (isDelivered)
            _pause = FirstPause;
    }

    /// <summary>
    /// Delays the first event: a little less or more than the pause, so that many gateways do not retry together, and at least as long as
    /// the receiver asks for, within bounds. The next pause is twice as long.
    /// </summary>
    /// <param name="retryAfter">The delay that the receiver asked for; null if none.</param>
    public void PutOff(TimeSpan? retryAfter)
    {
        TimeSpan pause = _pause * (0.8 + (Random.Shared.NextDouble() * 0.4));
        _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
        if (retryAfter > pause)
            pause = retryAfter < LongestPause ? retryAfter.Value : LongestPause;
        (_putOffAt, _putOffFor) = (time.GetTimestamp(), pause);
    }
}
