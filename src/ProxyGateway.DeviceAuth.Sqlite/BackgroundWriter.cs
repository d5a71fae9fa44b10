using Microsoft.Data.Sqlite;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>
/// Writes what no caller waits for: the audit, and when devices were last seen. It has a separate connection, which does not wait for the
/// disk: the last writes may be lost when the machine fails, but not when the process does. For one caller at a time.
/// </summary>
internal sealed class BackgroundWriter : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly AuditWriter _audit;
    private readonly SqliteCommand _see;

    /// <param name="connection">A connection that does not sync at every commit.</param>
    /// <param name="options">How much of the audit is kept.</param>
    /// <param name="disk">Reads the free space of the disk.</param>
    public BackgroundWriter(SqliteConnection connection, SqliteStoreOptions options, Func<DiskSpace> disk)
    {
        _connection = connection;
        _audit = new AuditWriter(connection, options, disk);
        _see = connection.Prepare(
            "UPDATE devices SET seen_at = $at WHERE id = $id AND paired = 1 AND (seen_at IS NULL OR seen_at < $at)", "$id", "$at");
    }

    public AuditReceipt Append(AuditBatch batch) => _audit.Append(batch);

    public void NoteSeen(IReadOnlyList<SeenDevice> devices)
    {
        using SqliteTransaction transaction = _connection.BeginTransaction(deferred: false);
        foreach (SeenDevice seen in devices)
            _see.In(transaction).Set("$id", seen.Device.ToString()).Set("$at", seen.At.ToUnixTimeMilliseconds()).ExecuteNonQuery();
        transaction.Commit();
    }

    public void Dispose() => _connection.Dispose();
}
