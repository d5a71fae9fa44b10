namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>How a swap went.</summary>
public enum SwapResult
{
    /// <summary>The new record is in the store.</summary>
    Swapped,

    /// <summary>Somebody else was faster: read again, decide again.</summary>
    Conflict,

    /// <summary>Too many requests are open; nothing was written.</summary>
    TooManyRequests,

    /// <summary>The rule has paired as many devices within an hour as it may (<see cref="RulePairing.MaxPerHour"/>); nothing was written.</summary>
    TooManyOfRule,

    /// <summary>Rules have paired as many devices as they may (<see cref="RulePairing.MaxInAll"/>); nothing was written.</summary>
    TooManyByRules,
}
