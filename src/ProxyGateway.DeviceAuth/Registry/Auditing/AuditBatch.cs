namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>Entries that are written together.</summary>
/// <param name="Writer">The writer; unique to one run of one gateway.</param>
/// <param name="Number">Counts the writer's batches.</param>
/// <param name="Entries">The entries.</param>
public sealed record AuditBatch(string Writer, long Number, IReadOnlyList<AuditEntry> Entries);
