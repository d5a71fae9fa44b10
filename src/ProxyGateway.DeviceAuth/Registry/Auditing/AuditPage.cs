namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>A part of the audit.</summary>
/// <param name="Items">The entries.</param>
/// <param name="Next">The start of the next page; null if this was the last.</param>
public sealed record AuditPage(IReadOnlyList<AuditEntry> Items, long? Next);
