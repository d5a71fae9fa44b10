namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>By what a gateway heard that a record has changed.</summary>
internal enum RevocationTrigger
{
    /// <summary>The change was made through this gateway.</summary>
    Change,

    /// <summary>Another gateway's announcement.</summary>
    Announcement,

    /// <summary>A comparison with the registry: the announcement was lost. The time since that comparison counts.</summary>
    Sweep,

    /// <summary>A reload of the configuration.</summary>
    Reload,
}
