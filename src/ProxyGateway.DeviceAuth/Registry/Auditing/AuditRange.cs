namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>Entries that follow one that is known.</summary>
/// <param name="Items">The entries, oldest first.</param>
/// <param name="IsComplete">False if some that followed may no longer be kept.</param>
public sealed record AuditRange(IReadOnlyList<AuditEntry> Items, bool IsComplete);
