namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The result of importing a device.</summary>
public enum ImportOutcome
{
    /// <summary>It was not paired, and now is.</summary>
    Added,

    /// <summary>It was paired, and now holds more, or holds by an operator's approval what a rule had approved.</summary>
    Extended,

    /// <summary>It already holds all of that.</summary>
    Unchanged,

    /// <summary>The operator's ceiling does not allow all of it; nothing was imported.</summary>
    AboveCeiling,

    /// <summary>An operator has removed the device, or refused one of the roles; nothing was imported.</summary>
    RefusedBefore,

    /// <summary>An operator has blocked the device.</summary>
    Blocked,

    /// <summary>A grant has ended.</summary>
    UntilIsPast,

    /// <summary>The device's document has a format that this gateway does not know; nothing was imported.</summary>
    NewerFormat,
}
