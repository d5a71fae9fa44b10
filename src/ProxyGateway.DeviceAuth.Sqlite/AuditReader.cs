using Microsoft.Data.Sqlite;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>Reads the audit, with prepared statements of a <see cref="Reader"/>'s connection.</summary>
internal sealed class AuditReader(SqliteConnection connection)
{
    private readonly SqliteCommand _list = connection.Prepare(
        """
        SELECT id, entry FROM audit
        WHERE id < $before AND ($kind IS NULL OR kind = $kind) AND ($device IS NULL OR device = $device) AND ($operator IS NULL OR operator = $operator)
        ORDER BY id DESC LIMIT $limit
        """,
        "$before", "$kind", "$device", "$operator", "$limit");

    private readonly SqliteCommand _readAfter = connection.Prepare(
        "SELECT id, entry FROM audit WHERE id > $after ORDER BY id LIMIT $limit", "$after", "$limit");

    private readonly SqliteCommand _dropped = connection.Prepare("SELECT max(id) FROM audit_dropped");

    public List<AuditEntry> List(AuditFilter filter, long? before, int limit) => Read(
        _list.Set("$before", before ?? long.MaxValue).Set("$kind", filter.Kind).Set("$device", filter.Device?.ToString())
            .Set("$operator", filter.Operator).Set("$limit", limit));

    public AuditStretch ReadAfter(long id, int limit)
    {
        List<AuditEntry> entries = Read(_readAfter.Set("$after", id).Set("$limit", limit));
        return new AuditStretch(entries, IsComplete: _dropped.ExecuteScalar() is not long dropped || dropped <= id); // asked last: what went meanwhile counts
    }

    private static List<AuditEntry> Read(SqliteCommand command)
    {
        using SqliteDataReader rows = command.ExecuteReader();
        var entries = new List<AuditEntry>();
        while (rows.Read())
            entries.Add(AuditDocument.Deserialize(rows.GetFieldValue<byte[]>(1), rows.GetInt64(0)));
        return entries;
    }
}
