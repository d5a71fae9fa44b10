using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>A connection of a verified device: provisional until it is decided, then admitted, and ended once it is closed.</summary>
internal sealed class Session : IDisposable
{
    private readonly SessionTable _table;
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private bool _doubtful;
    private string? _version;
    private SessionEnd? _end;

    public Session(SessionTable table, long number, DeviceClaim claim, ClaimOrigin origin, TimeProvider time)
    {
        _table = table;
        _time = time;
        Number = number;
        Claim = claim;
        Origin = origin;
        StartedAt = time.GetUtcNow();
        ClosingToken = _closing.Token;
    }

    /// <summary>The session's number on this gateway.</summary>
    public long Number { get; }

    /// <summary>The verified claim.</summary>
    public DeviceClaim Claim { get; }

    /// <summary>The client's origin.</summary>
    public ClaimOrigin Origin { get; }

    public DateTimeOffset StartedAt { get; }

    /// <summary>When its grant ends; null if it has no end.</summary>
    public DateTimeOffset? EndsAt => _end?.At;

    /// <summary>Whether it is admitted and has not ended.</summary>
    public bool IsLive => Version is not null && Closing is null;

    /// <summary>Why the session ended; null while it has not.</summary>
    public Closing? Closing { get; private set; }

    /// <summary>Cancelled when the session is closed: from then on the backend must get nothing more from the client.</summary>
    public CancellationToken ClosingToken { get; }

    /// <summary>The version of the last record that was found to cover the session; null while it is provisional.</summary>
    public string? Version
    {
        get
        {
            lock (_lock)
            {
                return _version;
            }
        }
    }

    /// <summary>
    /// Admits the session; to be called when a record that was read after the session was entered covers the claim. False if a change in
    /// between may have taken that away: then read and decide again.
    /// </summary>
    /// <param name="record">That record.</param>
    /// <param name="now">The store's time when it was read.</param>
    /// <param name="asOf">A time before it was read, null for now. The grant's end is counted from it.</param>
    public bool TryAdmit(DeviceRecord record, DateTimeOffset now, TimeMark? asOf = null)
    {
        lock (_lock)
        {
            // A change that was announced during the read may be older or newer than the record that was read.
            if (!_doubtful)
                SetCoverage(record, now, asOf ?? new TimeMark(_time));
            _doubtful = false;
            return _version is not null;
        }
    }

    /// <summary>Checks the session after the device's record has changed.</summary>
    /// <param name="record">The record; null if there is none any more.</param>
    /// <param name="now">The store's time when the record was read.</param>
    /// <param name="policy">The policy in force.</param>
    /// <param name="asOf">A time before it was read; null for now.</param>
    public void Recheck(DeviceRecord? record, DateTimeOffset now, PairingPolicy policy, TimeMark? asOf = null)
    {
        bool revoked;
        record = record?.AsOf(now);
        lock (_lock)
        {
            // Announcements may overtake each other, so a later one that covers the claim does not cancel the doubt of an earlier one.
            bool covered = policy.Admits(record, Claim);
            _doubtful |= !covered;
            revoked = _version is not null && !covered;
            if (_version is not null && covered)
                SetCoverage(record!, now, asOf ?? new TimeMark(_time));
        }

        if (revoked)
            Close(WhyRevoked(record));
    }

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
        _table.Leave(this);
        lock (_lock)
        {
            _end?.Dispose();
        }

        _closing.Dispose();
    }

    private static Closing WhyRevoked(DeviceRecord? record) => record switch
    {
        { Block: not null } => Closing.DeviceBlocked,
        { IsPaired: true } or { Refusals.WholeDevice: false } => Closing.GrantRevoked,
        _ => Closing.DeviceRemoved,
    };

    private void SetCoverage(DeviceRecord record, DateTimeOffset now, TimeMark asOf)
    {
        _version = record.Version;
        DateTimeOffset? until = record.Grants.GetValueOrDefault(Claim.Role)?.Until;
        if (until == _end?.At)
            return;
        _end?.Dispose();
        _end = until is { } at ? new SessionEnd(this, at, now, asOf, _time) : null;
    }
}
