using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>A connection of a verified device: provisional while it is being decided, admitted from then on, and over once it is closed.</summary>
internal sealed class Session : IDisposable
{
    private readonly SessionTable _table;
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _lock = new();
    private bool _doubtful;
    private bool _admitted;

    public Session(SessionTable table, Claim claim, DateTimeOffset now)
    {
        _table = table;
        Claim = claim;
        StartedAt = now;
        ClosingToken = _closing.Token;
    }

    /// <summary>What the device proved and asked for.</summary>
    public Claim Claim { get; }

    public DateTimeOffset StartedAt { get; }

    /// <summary>Why the session is over; null while it is not.</summary>
    public Closing? Closing { get; private set; }

    /// <summary>Signals that the session is to be closed: from then on nothing more of the client may reach the backend.</summary>
    public CancellationToken ClosingToken { get; }

    /// <summary>
    /// Admits the session; to be called when a record that was read after the session was entered covers the claim. False if a change in
    /// between may have taken that away: then read and decide again.
    /// </summary>
    public bool TryAdmit()
    {
        lock (_lock)
        {
            // A change that was announced while the record was read may be older or newer than what was read.
            _admitted = !_doubtful;
            _doubtful = false;
            return _admitted;
        }
    }

    /// <summary>The device's record has changed.</summary>
    public void Recheck(DeviceRecord record, PairingPolicy policy)
    {
        bool revoked;
        lock (_lock)
        {
            // Announcements may overtake each other, so a later one that covers the claim does not settle what an earlier one put in doubt.
            bool covered = policy.Uncovered(record, Claim) is null;
            _doubtful |= !covered;
            revoked = _admitted && !covered;
        }

        if (revoked)
            Close(record.IsPaired ? Closing.GrantRevoked : Closing.DeviceRemoved);
    }

    /// <summary>Ends the session; the first reason stays.</summary>
    public void Close(Closing closing)
    {
        lock (_lock)
        {
            if (Closing is not null)
                return;
            Closing = closing;
        }

        try
        {
            _closing.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The connection ended by itself at this very moment.
        }
    }

    /// <summary>Takes the session out of the table.</summary>
    public void Dispose()
    {
        _table.Leave(this);
        _closing.Dispose();
    }
}
