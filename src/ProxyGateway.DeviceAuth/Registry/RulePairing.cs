namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A rule pairs a device that was not paired. How many it may is counted by the store, for all gateways together.</summary>
/// <param name="Rule">The rule's name.</param>
/// <param name="MaxPerHour">How many devices the rule may pair within <see cref="Window"/>, also those that were removed since.</param>
/// <param name="MaxInAll">How many devices may be on record that rules alone have approved.</param>
public sealed record RulePairing(string Rule, int MaxPerHour, int MaxInAll)
{
    /// <summary>Over how long <see cref="MaxPerHour"/> counts.</summary>
    public static TimeSpan Window { get; } = TimeSpan.FromHours(1);
}
