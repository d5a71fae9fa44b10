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
    private string? _version;

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

    /// <summary>The version of the record that the session was last found to be covered by; null while it is provisional.</summary>
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
    /// <param name="version">The version of that record.</param>
    public bool TryAdmit(string version)
    {
        lock (_lock)
        {
            // A change that was announced while the record was read may be older or newer than what was read.
            if (!_doubtful)
                _version = version;
            _doubtful = false;
            return _version is not null;
        }
    }

    /// <summary>The device's record has changed.</summary>
    /// <param name="record">The record; null if there is none any more.</param>
    /// <param name="policy">The policy in force.</param>
    public void Recheck(DeviceRecord? record, PairingPolicy policy)
    {
        bool revoked;
        lock (_lock)
        {
            // Announcements may overtake each other, so a later one that covers the claim does not settle what an earlier one put in doubt.
            bool covered = policy.Uncovered(record, Claim) is null;
            _doubtful |= !covered;
            revoked = _version is not null && !covered;
            if (_version is not null && covered)
                _version = record!.Version;
        }

        if (revoked)
            Close(record is { IsPaired: true } or { Refusals.WholeDevice: false } ? Closing.GrantRevoked : Closing.DeviceRemoved);
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
