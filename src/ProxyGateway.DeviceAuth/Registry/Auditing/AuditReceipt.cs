namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>What became of a batch that was appended.</summary>
/// <param name="LeftOut">How many of its entries were left out, so that there is room for what matters more. Never an operator's.</param>
/// <param name="Shortage">What the registry is short of, for people; null: nothing.</param>
public readonly record struct AuditReceipt(int LeftOut, string? Shortage);
