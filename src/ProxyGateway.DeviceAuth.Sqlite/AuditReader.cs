using Microsoft.Data.Sqlite;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>
/// Reads the audit, with prepared statements of a <see cref="Reader"/>'s connection. The cost of a page is bounded: one filter has an
/// index, the others are applied to the rows that it finds, and a page reads a bounded number of them.
/// </summary>
internal sealed class AuditReader(SqliteConnection connection)
{
    /// <summary>How many rows are read for a page at most.</summary>
    public const int MostRead = 4000;

    public const string All = "SELECT id, kind, device, operator, entry FROM audit WHERE id < $before ORDER BY id DESC";
    public const string OfKind = "SELECT id, kind, device, operator, entry FROM audit WHERE kind = $of AND id < $before ORDER BY id DESC";
    public const string OfDevice = "SELECT id, kind, device, operator, entry FROM audit WHERE device = $of AND id < $before ORDER BY id DESC";
    public const string OfOperator = "SELECT id, kind, device, operator, entry FROM audit WHERE operator = $of AND id < $before ORDER BY id DESC";

    private const int KindColumn = 1;
    private const int DeviceColumn = 2;
    private const int OperatorColumn = 3;
    private const int EntryColumn = 4;

    private readonly SqliteCommand _all = connection.Prepare(All, "$before");
    private readonly SqliteCommand _ofKind = connection.Prepare(OfKind, "$of", "$before");
    private readonly SqliteCommand _ofDevice = connection.Prepare(OfDevice, "$of", "$before");
    private readonly SqliteCommand _ofOperator = connection.Prepare(OfOperator, "$of", "$before");

    private readonly SqliteCommand _readAfter = connection.Prepare(
        "SELECT id, entry FROM audit WHERE id > $after ORDER BY id LIMIT $limit", "$after", "$limit");

    private readonly SqliteCommand _dropped = connection.Prepare("SELECT max(id) FROM audit_dropped");

    public AuditPage List(AuditFilter filter, long? before, int limit)
    {
        SqliteCommand command = filter switch
        {
            { Operator: { } name } => _ofOperator.Set("$of", name),
            { Device: { } device } => _ofDevice.Set("$of", device.ToString()),
            { Kind: { } kind } => _ofKind.Set("$of", kind),
            _ => _all,
        };
        string? ofDevice = filter.Device?.ToString();
        var found = new List<AuditEntry>();
        using SqliteDataReader rows = command.Set("$before", before ?? long.MaxValue).ExecuteReader();
        for (int read = 1; rows.Read(); read++)
        {
            long id = rows.GetInt64(0);
            if (Is(rows, KindColumn, filter.Kind) && Is(rows, DeviceColumn, ofDevice) && Is(rows, OperatorColumn, filter.Operator)
                && AuditDocument.Deserialize(rows.GetFieldValue<byte[]>(EntryColumn), id) is var entry && filter.Matches(entry)) // the audience has no column
            {
                if (found.Count == limit)
                    return new AuditPage(found, Next: found[^1].Id);
                found.Add(entry);
            }

            if (read == MostRead)
                return new AuditPage(found, Next: id);
        }

        return new AuditPage(found, Next: null);
    }

    public AuditRange ReadAfter(long id, int limit)
    {
        using SqliteDataReader rows = _readAfter.Set("$after", id).Set("$limit", limit).ExecuteReader();
        var entries = new List<AuditEntry>();
        while (rows.Read())
            entries.Add(AuditDocument.Deserialize(rows.GetFieldValue<byte[]>(1), rows.GetInt64(0)));
        // read last, so that entries dropped meanwhile count
        return new AuditRange(entries, IsComplete: _dropped.ExecuteScalar() is not long dropped || dropped <= id);
    }

    private static bool Is(SqliteDataReader rows, int column, string? wanted) =>
        wanted is null || (!rows.IsDBNull(column) && rows.GetString(column) == wanted);
}
