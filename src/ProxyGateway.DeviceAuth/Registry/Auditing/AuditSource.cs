namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>
/// Who can cause an entry. Each source has its own history with its own bound, so nobody pushes out entries of a more trusted source: a
/// flood of refusals hides neither admissions nor operators' actions. The numbers are stored.
/// </summary>
public enum AuditSource
{
    /// <summary>Operators.</summary>
    Operators,

    /// <summary>Devices that a grant or a rule admits: they can reconnect as often as they like.</summary>
    Devices,

    /// <summary>Anybody who can reach the gateway.</summary>
    Strangers,

    /// <summary>
    /// Rules and time: a device's rights changed without an operator. Separate from <see cref="Devices"/>, so that a device cannot hide its
    /// pairing by a rule by reconnecting.
    /// </summary>
    Changes,
}
