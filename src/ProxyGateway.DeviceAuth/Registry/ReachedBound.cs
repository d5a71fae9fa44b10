namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A rule would have paired a device but is at its bound: an operator decides.</summary>
/// <param name="Rule">The rule's name.</param>
/// <param name="Limit">The bound.</param>
/// <param name="IsInAll">Whether the bound counts the devices of all rules, and not those of one within an hour.</param>
public sealed record ReachedBound(string Rule, int Limit, bool IsInAll);
