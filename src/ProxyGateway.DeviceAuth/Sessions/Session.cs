using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>A connection of a verified device: provisional while it is being decided, admitted from then on, and over once it is closed.</summary>
internal sealed class Session : IDisposable
{
    private readonly SessionTable _table;
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _lock = new();
    private DeviceRecord? _announced;
    private bool _changedMeanwhile;
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
    /// Admits the session under a record that was read after the session was entered. False if the device changed in between in a way
    /// that the claim is not covered by: then read and decide again.
    /// </summary>
    public bool TryAdmit(DeviceRecord record, PairingPolicy policy)
    {
        lock (_lock)
        {
            // A change that was announced while the record was read may be older or newer than what was read.
            bool doubtful = _changedMeanwhile && _announced?.Version != record.Version && policy.Uncovered(_announced, Claim) is not null;
            _changedMeanwhile = false;
            _announced = null;
            _admitted = !doubtful;
            return _admitted;
        }
    }

    /// <summary>The device's record has changed.</summary>
    public void Recheck(DeviceRecord record, PairingPolicy policy)
    {
        bool revoked;
        lock (_lock)
        {
            (_announced, _changedMeanwhile) = (record, true);
            revoked = _admitted && policy.Uncovered(record, Claim) is not null;
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
