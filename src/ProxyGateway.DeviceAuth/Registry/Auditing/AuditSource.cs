namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>
/// Who can cause an entry. Each has a history of its own, with its own bound, so that nobody pushes out what others with more trust have
/// caused: a flood of refusals hides neither who got in nor what operators did. The numbers are stored.
/// </summary>
public enum AuditSource
{
    /// <summary>Operators.</summary>
    Operators,

    /// <summary>Devices that a grant or a rule lets in: they come and go as often as they like.</summary>
    Devices,

    /// <summary>Anybody who can reach the gateway.</summary>
    Strangers,

    /// <summary>
    /// Rules and time: what devices may do has changed without an operator. Apart from <see cref="Devices"/>, so that a device that has paired by a
    /// rule cannot hide that by coming and going.
    /// </summary>
    Changes,
}
