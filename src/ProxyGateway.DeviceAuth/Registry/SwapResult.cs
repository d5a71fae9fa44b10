namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The result of a swap.</summary>
public enum SwapResult
{
    /// <summary>The new record is in the store.</summary>
    Swapped,

    /// <summary>Another change came first: read again, decide again.</summary>
    Conflict,

    /// <summary>Too many requests are open; nothing was written.</summary>
    TooManyRequests,

    /// <summary>
    /// The rule has paired its maximum of devices within an hour (<see cref="RulePairing.MaxPerHour"/>); nothing was written.
    /// </summary>
    TooManyOfRule,

    /// <summary>Rules have paired their maximum of devices (<see cref="RulePairing.MaxInAll"/>); nothing was written.</summary>
    TooManyByRules,

    /// <summary>The name was used before (<see cref="DeviceSwap.Once"/>); nothing was written.</summary>
    UsedBefore,
}
