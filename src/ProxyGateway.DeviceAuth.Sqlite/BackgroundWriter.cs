using Microsoft.Data.Sqlite;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>
/// Writes what nobody waits for: the audit, and when devices were last seen. On a connection of its own, as it does not wait for the disk:
/// the last of it may be lost when the machine fails, but not when the process does. For one caller at a time.
/// </summary>
internal sealed class BackgroundWriter : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly int _auditEntries;
    private readonly int _slack;
    private readonly SqliteCommand _append;
    private readonly SqliteCommand _trim;
    private readonly SqliteCommand _see;
    private readonly int[] _appended = new int[Enum.GetValues<AuditSource>().Length];
    private (string Writer, long Number) _last;

    /// <param name="connection">A connection that does not sync at every commit.</param>
    /// <param name="auditEntries">How many entries of each source are kept at least.</param>
    public BackgroundWriter(SqliteConnection connection, int auditEntries)
    {
        _connection = connection;
        _auditEntries = auditEntries;
        _slack = Math.Clamp(auditEntries / 100, 1, 1000);
        _append = connection.Prepare(
            "INSERT INTO audit (source, kind, device, operator, entry) VALUES ($source, $kind, $device, $operator, $entry)",
            "$source", "$kind", "$device", "$operator", "$entry");
        _trim = connection.Prepare(
            """
            INSERT INTO audit_dropped (source, id)
                SELECT $source, max(id) FROM (
                    SELECT id FROM audit WHERE source = $source AND id <= (SELECT id FROM audit WHERE source = $source ORDER BY id DESC LIMIT 1 OFFSET $kept)
                    ORDER BY id LIMIT 10000)
                HAVING max(id) IS NOT NULL
                ON CONFLICT (source) DO UPDATE SET id = excluded.id;
            DELETE FROM audit WHERE source = $source AND id <= (SELECT id FROM audit_dropped WHERE source = $source);
            """,
            "$source", "$kept");
        _see = connection.Prepare(
            "UPDATE devices SET seen_at = $at WHERE id = $id AND paired = 1 AND (seen_at IS NULL OR seen_at < $at)", "$id", "$at");
        Array.Fill(_appended, _slack); // the file may hold more than is to be kept now
    }

    public void Append(AuditBatch batch)
    {
        if (_last.Writer == batch.Writer && _last.Number >= batch.Number)
            return;
        using SqliteTransaction transaction = _connection.BeginTransaction(deferred: false);
        foreach (AuditEntry entry in batch.Entries)
        {
            var source = (int)AuditKinds.SourceOf(entry);
            _append.In(transaction).Set("$source", source).Set("$kind", entry.Kind).Set("$device", entry.DeviceId?.ToString())
                .Set("$operator", entry.Operator).Set("$entry", AuditDocument.Serialize(entry)).ExecuteNonQuery();
            if (++_appended[source] <= _slack)
                continue;
            _trim.In(transaction).Set("$source", source).Set("$kept", _auditEntries).ExecuteNonQuery();
            _appended[source] = 0;
        }

        transaction.Commit();
        _last = (batch.Writer, batch.Number);
    }

    public void NoteSeen(IReadOnlyList<SeenDevice> devices)
    {
        using SqliteTransaction transaction = _connection.BeginTransaction(deferred: false);
        foreach (SeenDevice seen in devices)
            _see.In(transaction).Set("$id", seen.Device.ToString()).Set("$at", seen.At.ToUnixTimeMilliseconds()).ExecuteNonQuery();
        transaction.Commit();
    }

    public void Dispose() => _connection.Dispose();
}
