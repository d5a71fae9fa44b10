using System.Globalization;
using Microsoft.Data.Sqlite;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>
/// Appends to the audit and keeps each history within its bounds: a number of entries, a number of bytes, and on a nearly full disk its
/// current size. For one caller at a time.
/// </summary>
internal sealed class AuditWriter
{
    // At least as many as a batch may have; the space of an older version's large entries is freed over many batches.
    private const int TrimmedAtOnce = 1000;

    private readonly SqliteConnection _connection;
    private readonly int _mostEntries;
    private readonly long _mostBytes;
    private readonly int _slack;
    private readonly Func<DiskSpace> _disk;
    private readonly SqliteCommand _append;
    private readonly SqliteCommand _kept;
    private readonly SqliteCommand _keep;
    private readonly SqliteCommand _oldest;
    private readonly SqliteCommand _trim;
    private (string Writer, long Number) _last;

    public AuditWriter(SqliteConnection connection, SqliteStoreOptions options, Func<DiskSpace> disk)
    {
        (_connection, _mostEntries, _mostBytes, _disk) = (connection, options.AuditEntries, options.AuditBytes, disk);
        _slack = Math.Clamp(_mostEntries / 100, 1, 1000);
        _append = connection.Prepare(
            "INSERT INTO audit (source, kind, device, operator, entry) VALUES ($source, $kind, $device, $operator, $entry)",
            "$source", "$kind", "$device", "$operator", "$entry");
        _kept = connection.Prepare("SELECT entries, bytes FROM audit_kept WHERE source = $source", "$source");
        _keep = connection.Prepare(
            """
            INSERT INTO audit_kept (source, entries, bytes) VALUES ($source, $entries, $bytes)
            ON CONFLICT (source) DO UPDATE SET entries = excluded.entries, bytes = excluded.bytes
            """,
            "$source", "$entries", "$bytes");
        _oldest = connection.Prepare("SELECT id, length(entry) FROM audit WHERE source = $source ORDER BY id LIMIT $limit", "$source", "$limit");
        _trim = connection.Prepare(
            """
            INSERT INTO audit_dropped (source, id) VALUES ($source, $last) ON CONFLICT (source) DO UPDATE SET id = excluded.id;
            DELETE FROM audit WHERE source = $source AND id <= $last;
            """,
            "$source", "$last");
    }

    public AuditReceipt Append(AuditBatch batch)
    {
        if (_last.Writer == batch.Writer && _last.Number >= batch.Number)
            return default;
        (AuditEntry Entry, AuditSource Source, byte[] Document)[] rows = [.. batch.Entries.Select(e => (e, AuditKinds.SourceOf(e), AuditDocument.Serialize(e)))];
        DiskSpace disk = _disk();
        bool isShort = disk.Free < disk.Reserved;
        int leftOut = 0;
        using SqliteTransaction transaction = _connection.BeginTransaction(deferred: false);
        var histories = new Dictionary<AuditSource, History>();
        foreach (IGrouping<AuditSource, byte[]> added in rows.GroupBy(r => r.Source, r => r.Document))
        {
            History kept = Kept(added.Key, transaction);
            long bytes = added.Sum(d => (long)d.Length);
            if (!IsShort(disk, added.Key))
                histories[added.Key] = kept;
            else if (!disk.IsFull)
                histories[added.Key] = kept with { MostBytes = Math.Min(_mostBytes, Math.Max(kept.Bytes - bytes, disk.Reserved / 64)) };
            else if (kept.Bytes >= bytes)
                histories[added.Key] = kept with { MostBytes = Math.Min(_mostBytes, kept.Bytes - bytes) };
            else
                leftOut += added.Count();
        }

        foreach ((AuditEntry entry, AuditSource source, byte[] document) in rows)
        {
            if (!histories.TryGetValue(source, out History? kept))
                continue;
            _append.In(transaction).Set("$source", (int)source).Set("$kind", entry.Kind).Set("$device", entry.DeviceId?.ToString())
                .Set("$operator", entry.Operator).Set("$entry", document).ExecuteNonQuery();
            histories[source] = kept with { Entries = kept.Entries + 1, Bytes = kept.Bytes + document.Length };
        }

        foreach ((AuditSource source, History kept) in histories)
            Keep(source, Trim(source, kept, transaction), transaction);
        transaction.Commit();
        _last = (batch.Writer, batch.Number);
        return new AuditReceipt(leftOut, isShort
            ? string.Create(CultureInfo.InvariantCulture, $"{disk.Free / 1048576} of {disk.Total / 1048576} MiB are free on its disk")
            : null);
    }

    private static bool IsShort(DiskSpace disk, AuditSource source) => source switch
    {
        AuditSource.Operators => false,
        AuditSource.Changes => disk.Free < disk.Reserved / 3,
        AuditSource.Devices => disk.Free < disk.Reserved / 2,
        _ => disk.Free < disk.Reserved,
    };

    private History Kept(AuditSource source, SqliteTransaction transaction)
    {
        using SqliteDataReader row = _kept.In(transaction).Set("$source", (int)source).ExecuteReader();
        return row.Read() ? new History(row.GetInt64(0), row.GetInt64(1), _mostBytes) : new History(0, 0, _mostBytes);
    }

    private void Keep(AuditSource source, History kept, SqliteTransaction transaction) =>
        _keep.In(transaction).Set("$source", (int)source).Set("$entries", kept.Entries).Set("$bytes", kept.Bytes).ExecuteNonQuery();

    private History Trim(AuditSource source, History kept, SqliteTransaction transaction)
    {
        if (kept.Entries <= _mostEntries + _slack && kept.Bytes <= kept.MostBytes)
            return kept;
        long last = 0;
        using (SqliteDataReader rows = _oldest.In(transaction).Set("$source", (int)source).Set("$limit", TrimmedAtOnce).ExecuteReader())
        {
            while ((kept.Entries > _mostEntries || kept.Bytes > kept.MostBytes) && rows.Read())
            {
                last = rows.GetInt64(0);
                kept = kept with { Entries = kept.Entries - 1, Bytes = kept.Bytes - rows.GetInt64(1) };
            }
        }

        _trim.In(transaction).Set("$source", (int)source).Set("$last", last).ExecuteNonQuery();
        return kept;
    }

    private sealed record History(long Entries, long Bytes, long MostBytes);
}
