using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>A connection of a verified device, which its record covers while it is admitted.</summary>
internal sealed class DeviceSession : Session
{
    private readonly SessionTable _table;
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private bool _doubtful;
    private string? _version;
    private SessionEnd? _end;

    public DeviceSession(SessionTable table, long number, DeviceClaim claim, ClaimOrigin origin, TimeProvider time)
        : base(number, origin, time)
    {
        _table = table;
        _time = time;
        Claim = claim;
    }

    /// <summary>The verified claim.</summary>
    public DeviceClaim Claim { get; }

    public override DeviceId? Device => Claim.Device;

    public override uint? User => null;

    public override Audience Audience => Claim.Audience;

    public override string Role => Claim.Role;

    public override ScopeSet Scopes => Claim.Scopes;

    public override ClientDescription Client => Claim.Client;

    public override DateTimeOffset? EndsAt => _end?.At;

    /// <summary>The name that operators had given the device in the record that last covered the session; null if none.</summary>
    public string? Label { get; private set; }

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

    protected override bool IsAdmitted => Version is not null;

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
    /// <returns>Whether it was closed by this.</returns>
    public bool Recheck(DeviceRecord? record, DateTimeOffset now, PairingPolicy policy, TimeMark? asOf = null)
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

        return revoked && Close(WhyRevoked(record));
    }

    protected override void Leave()
    {
        _table.Leave(this);
        lock (_lock)
        {
            _end?.Dispose();
        }
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
        Label = record.Label;
        DateTimeOffset? until = record.Grants.GetValueOrDefault(Claim.Key)?.Until;
        if (until == _end?.At)
            return;
        _end?.Dispose();
        _end = until is { } at ? new SessionEnd(this, at, now, asOf, _time) : null;
    }
}
