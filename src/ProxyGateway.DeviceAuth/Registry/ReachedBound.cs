namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A rule would have paired a device, and rules have paired as many as they may: an operator decides.</summary>
/// <param name="Rule">The rule's name.</param>
/// <param name="Limit">How many it, or they, may pair.</param>
/// <param name="IsInAll">Whether that counts the devices of all rules, and not those of one within an hour.</param>
public sealed record ReachedBound(string Rule, int Limit, bool IsInAll);
