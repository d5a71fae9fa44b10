using System.Globalization;
using System.Text;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// The audit: a capped stream for each source, all in one slot, so that one script gives ids in one order, and another reads all streams at
/// one point in time.
/// </summary>
internal sealed class AuditStreams(RedisConnection redis, Keys keys, int kept, long bytes)
{
    // A stream's id is a time in milliseconds and a sequence number; an entry's id has both in one. The script never counts beyond these
    // bits.
    private const int SequenceBits = 20;
    private const string SequenceMask = "1048575";

    private const int ReadAtOnce = 500;

    /// <summary>
    /// How many entries of each stream are read for a page at most. A filter with few matches continues on the next page, and does not keep
    /// Redis busy for one.
    /// </summary>
    public const int MostReadForPage = 4 * ReadAtOnce;

    public async Task<AuditReceipt> AppendAsync(AuditBatch batch, Deadline deadline, CancellationToken cancellationToken)
    {
        RedisResult result = await redis.RunAsync(
            Script.AppendAudit,
            [.. keys.AuditStreams, keys.AuditWriter(batch.Writer)],
            [
                batch.Number, kept, SequenceMask, bytes,
                .. batch.Entries.SelectMany(e => new RedisValue[] { (int)AuditKinds.SourceOf(e) + 1, AuditDocument.Serialize(e) }),
            ],
            deadline,
            cancellationToken);
        (int leftOut, long used, long most, string refusal) = ((int)result[0], (long)result[1], (long)result[2], (string)result[3]!);
        string? shortage = refusal.Length > 0 ? $"Redis refuses to trim the audit ({refusal})"
            : most > 0 ? string.Create(CultureInfo.InvariantCulture, $"Redis uses {used / 1048576.0:F1} of {most / 1048576.0:F1} MiB (maxmemory)")
            : null;
        return new AuditReceipt(leftOut, shortage);
    }

    public async Task<AuditPage> ListAsync(
        AuditFilter filter, long? before, int limit, Deadline deadline, CancellationToken cancellationToken)
    {
        RedisKey[] streams = [.. SourcesOf(filter).Select(source => keys.AuditStreams[(int)source])];
        byte[] mention = Encoding.UTF8.GetBytes(filter.Device?.ToString() ?? ""); // searching bytes is cheaper than parsing
        int atOnce = filter == new AuditFilter() ? Math.Min(limit + 1, ReadAtOnce) : ReadAtOnce;
        var found = new List<AuditEntry>();
        for (int read = 0; read < MostReadForPage; read += atOnce)
        {
            RedisValue start = before is { } id ? $"({Format(id)}" : "+";
            RedisResult result = await redis.RunAsync(Script.ListAudit, streams, [start, atOnce], deadline, cancellationToken);
            (long Id, byte[] Document)[][] chunks = Read(result);

            // If a stream has more entries to read, older ids than its last one read are not complete.
            long complete = chunks.Where(c => c.Length == atOnce).Select(c => c[^1].Id).DefaultIfEmpty(0).Max();
            found.AddRange(chunks.SelectMany(c => c)
                .Where(e => e.Id >= complete && e.Document.AsSpan().IndexOf(mention) >= 0)
                .OrderByDescending(e => e.Id)
                .Select(e => AuditDocument.Deserialize(e.Document, e.Id))
                .Where(filter.Matches));
            if (found.Count > limit)
                return new AuditPage(found[..limit], Next: found[limit - 1].Id);
            if (complete == 0)
                return new AuditPage(found, Next: null);
            before = complete;
        }

        return new AuditPage(found, before);
    }

    public async Task<AuditRange> ReadAfterAsync(long id, int limit, Deadline deadline, CancellationToken cancellationToken)
    {
        RedisResult result = await redis.RunAsync(
            Script.ReadAudit, keys.AuditStreams, [$"({Format(id)}", limit, kept], deadline, cancellationToken);
        IEnumerable<AuditEntry> entries = Read(result[0]).SelectMany(c => c).OrderBy(e => e.Id).Take(limit).Select(e => AuditDocument.Deserialize(e.Document, e.Id));
        return new AuditRange([.. entries], IsComplete: !((string[])result[1]!).Any(oldest => ParseId(oldest) > id));
    }

    private static string Format(long id) => string.Create(
        CultureInfo.InvariantCulture, $"{id >> SequenceBits}-{id & ((1L << SequenceBits) - 1)}");

    // The entries of each stream: an id, and one field with its value.
    private static (long Id, byte[] Document)[][] Read(RedisResult result) => Array.ConvertAll(
        (RedisResult[])result!, stream => Array.ConvertAll((RedisResult[])stream!, e => (ParseId((string)e[0]!), (byte[])e[1][1]!)));

    private static IEnumerable<AuditSource> SourcesOf(AuditFilter filter) =>
        filter.Operator is not null ? [AuditSource.Operators]
        : filter.Kind is { } kind ? AuditKinds.SourcesOf(kind)
        : Enum.GetValues<AuditSource>();

    private static long ParseId(string id)
    {
        int dash = id.IndexOf('-', StringComparison.Ordinal);
        return (long.Parse(id.AsSpan(0, dash), CultureInfo.InvariantCulture) << SequenceBits) | long.Parse(id.AsSpan(dash + 1), CultureInfo.InvariantCulture);
    }
}
