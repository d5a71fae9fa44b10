namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>The result of appending a batch.</summary>
/// <param name="LeftOut">How many of its entries were left out to keep room for more important ones. Never an operator's.</param>
/// <param name="Shortage">The registry's shortage, for people; null if there is none.</param>
public readonly record struct AuditReceipt(int LeftOut, string? Shortage);
