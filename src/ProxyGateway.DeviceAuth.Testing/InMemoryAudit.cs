using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>The audit in memory. For one caller at a time.</summary>
internal sealed class InMemoryAudit
{
    private readonly List<Kept> _entries = []; // oldest first
    private readonly Dictionary<string, long> _lastBatches = [];
    private long _lastId;
    private long _lastDropped;

    public int MostEntries { get; set; } = 100_000;

    public long MostBytes { get; set; } = 64 * 1024 * 1024;

    public AuditReceipt Append(AuditBatch batch)
    {
        if (_lastBatches.GetValueOrDefault(batch.Writer) >= batch.Number)
            return default;
        foreach (AuditEntry entry in batch.Entries)
            _entries.Add(new Kept(entry with { Id = ++_lastId }, AuditKinds.SourceOf(entry), AuditDocument.Serialize(entry).Length));
        foreach (AuditSource source in batch.Entries.Select(AuditKinds.SourceOf).Distinct().ToArray())
            Trim(source);
        _lastBatches[batch.Writer] = batch.Number;
        return default;
    }

    public AuditPage List(AuditFilter filter, long? before, int limit)
    {
        AuditEntry[] found = [.. _entries.Select(e => e.Entry).Reverse().Where(e => !(e.Id >= before) && filter.Matches(e)).Take(limit + 1)];
        return found.Length <= limit ? new AuditPage(found, Next: null) : new AuditPage(found[..limit], found[limit - 1].Id);
    }

    public AuditRange ReadAfter(long id, int limit) =>
        new([.. _entries.Select(e => e.Entry).SkipWhile(e => e.Id <= id).Take(limit)], IsComplete: _lastDropped <= id);

    private void Trim(AuditSource source)
    {
        int entries = _entries.Count(e => e.Source == source);
        long bytes = _entries.Where(e => e.Source == source).Sum(e => (long)e.Bytes);
        if (entries <= MostEntries && bytes <= MostBytes)
            return;
        _entries.RemoveAll(e =>
        {
            if (e.Source != source || (entries <= MostEntries && bytes <= MostBytes))
                return false;
            entries--;
            bytes -= e.Bytes;
            _lastDropped = Math.Max(_lastDropped, e.Entry.Id);
            return true;
        });
    }

    private sealed record Kept(AuditEntry Entry, AuditSource Source, int Bytes);
}
