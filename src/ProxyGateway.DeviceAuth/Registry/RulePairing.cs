namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A rule pairs a device that was not paired. The store counts these for all gateways together.</summary>
/// <param name="Rule">The rule's name.</param>
/// <param name="MaxPerHour">How many devices the rule may pair within <see cref="Window"/>, including those that were removed
/// since.</param>
/// <param name="MaxInAll">How many devices rules alone may have approved.</param>
public sealed record RulePairing(string Rule, int MaxPerHour, int MaxInAll)
{
    /// <summary>The span in which <see cref="MaxPerHour"/> counts.</summary>
    public static TimeSpan Window { get; } = TimeSpan.FromHours(1);
}
