namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>The entries after a known one.</summary>
/// <param name="Items">The entries, oldest first.</param>
/// <param name="IsComplete">False if some of the entries after it may no longer be kept.</param>
public sealed record AuditRange(IReadOnlyList<AuditEntry> Items, bool IsComplete);
