using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>A client's connection: provisional until it is decided, then admitted, and ended once it is closed.</summary>
internal abstract class Session : IDisposable
{
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _lock = new();

    protected Session(long number, ClaimOrigin origin, TimeProvider time)
    {
        Number = number;
        Origin = origin;
        StartedAt = time.GetUtcNow();
        ClosingToken = _closing.Token;
    }

    /// <summary>The session's number on this gateway.</summary>
    public long Number { get; }

    /// <summary>The device; null if the client has none.</summary>
    public abstract DeviceId? Device { get; }

    /// <summary>The operating-system user of a client without a device; null for a device.</summary>
    public abstract uint? User { get; }

    /// <summary>The audience of the route.</summary>
    public abstract Audience Audience { get; }

    public abstract string Role { get; }

    public abstract ScopeSet Scopes { get; }

    /// <summary>The client's description of itself; never verified.</summary>
    public abstract ClientDescription Client { get; }

    /// <summary>The client's origin.</summary>
    public ClaimOrigin Origin { get; }

    public DateTimeOffset StartedAt { get; }

    /// <summary>Whether it is one of many plain requests of its device, which the audit only counts unless they last.</summary>
    public bool IsCounted { get; set; }

    /// <summary>When its grant ends; null if it has no end.</summary>
    public virtual DateTimeOffset? EndsAt => null;

    /// <summary>Whether it is admitted and has not ended.</summary>
    public bool IsLive => IsAdmitted && Closing is null;

    /// <summary>Why the session ended; null while it has not.</summary>
    public Closing? Closing { get; private set; }

    /// <summary>Cancelled when the session is closed: from then on the backend must get nothing more from the client.</summary>
    public CancellationToken ClosingToken { get; }

    protected abstract bool IsAdmitted { get; }

    /// <summary>Ends the session; the first reason stays.</summary>
    /// <returns>Whether this is the first.</returns>
    public bool Close(Closing closing)
    {
        lock (_lock)
        {
            if (Closing is not null)
                return false;
            Closing = closing;
        }

        try
        {
            _closing.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The connection has just ended by itself.
        }

        return true;
    }

    /// <summary>Removes the session from the table.</summary>
    public void Dispose()
    {
        Leave();
        _closing.Dispose();
    }

    /// <summary>Takes the session out of the table, and stops its timers.</summary>
    protected abstract void Leave();
}
