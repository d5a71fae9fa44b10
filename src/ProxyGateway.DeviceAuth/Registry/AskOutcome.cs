namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What became of a device's ask.</summary>
public enum AskOutcome
{
    /// <summary>A new request waits for an operator.</summary>
    Opened,

    /// <summary>The same ask is open already, and its expiry moved on.</summary>
    Renewed,

    /// <summary>The same ask is open already; nothing changed.</summary>
    Same,

    /// <summary>An operator rejected the same ask a short time ago; nothing was opened.</summary>
    Rejected,

    /// <summary>The device has too many open requests; nothing was opened.</summary>
    TooMany,
}
