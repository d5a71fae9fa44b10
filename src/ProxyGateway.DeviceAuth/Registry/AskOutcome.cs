namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The result of a device's request for approval.</summary>
internal enum AskOutcome
{
    /// <summary>A new request waits for an operator.</summary>
    Opened,

    /// <summary>The same request is already open; its expiry was moved.</summary>
    Renewed,

    /// <summary>The same request is already open; nothing changed.</summary>
    Same,

    /// <summary>An operator rejected the same request a short time ago; nothing was opened.</summary>
    Rejected,

    /// <summary>The device has too many open requests; nothing was opened.</summary>
    TooMany,
}
