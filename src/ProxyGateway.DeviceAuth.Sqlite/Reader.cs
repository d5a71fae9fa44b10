using Microsoft.Data.Sqlite;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>A connection that reads, with its prepared statements. For one thread at a time.</summary>
internal sealed class Reader : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly SqliteCommand _get;
    private readonly SqliteCommand _findRequest;
    private readonly SqliteCommand _listPaired;
    private readonly SqliteCommand _listOpenRequests;
    private readonly SqliteCommand _listAll;

    public Reader(SqliteConnection connection)
    {
        _connection = connection;
        _get = connection.Prepare(
            "SELECT document FROM devices WHERE id = $id AND (expires_at IS NULL OR expires_at > $now)", "$id", "$now");
        _findRequest = connection.Prepare("SELECT device FROM requests WHERE id = $id", "$id");
        _listPaired = connection.Prepare(
            "SELECT id, document FROM devices WHERE paired = 1 AND id > $after ORDER BY id LIMIT $limit", "$after", "$limit");
        _listOpenRequests = connection.Prepare(
            """
            SELECT r.id, d.id, d.document FROM requests r JOIN devices d ON d.id = r.device
            WHERE r.open_until > $now AND r.id < $before ORDER BY r.id DESC LIMIT $limit
            """,
            "$now", "$before", "$limit");
        _listAll = connection.Prepare(
            """
            SELECT id, document, expires_at FROM devices
            WHERE id > $after AND (expires_at IS NULL OR expires_at > $now) ORDER BY id LIMIT $limit
            """,
            "$after", "$now", "$limit");
    }

    public DeviceRecord? Get(DeviceId id, DateTimeOffset now)
    {
        _get.Set("$id", id.ToString()).Set("$now", now.ToUnixTimeMilliseconds());
        return _get.ExecuteScalar() is byte[] document ? DeviceDocument.Deserialize(document, id) : null;
    }

    public DeviceId? FindRequest(RequestId id) =>
        _findRequest.Set("$id", id.ToString()).ExecuteScalar() is string device ? DeviceId.Parse(device) : null;

    public List<DeviceRecord> ListPaired(string? after, int limit)
    {
        using SqliteDataReader rows = _listPaired.Set("$after", after ?? "").Set("$limit", limit).ExecuteReader();
        var records = new List<DeviceRecord>();
        while (rows.Read())
        {
            records.Add(DeviceDocument.Deserialize(rows.GetFieldValue<byte[]>(1), DeviceId.Parse(rows.GetString(0))));
        }

        return records;
    }

    public List<PairingRequest> ListOpenRequests(string? before, int limit, DateTimeOffset now)
    {
        _listOpenRequests.Set("$now", now.ToUnixTimeMilliseconds()).Set("$before", before ?? "~").Set("$limit", limit); // ids are digits and letters
        using SqliteDataReader rows = _listOpenRequests.ExecuteReader();
        var requests = new List<PairingRequest>();
        while (rows.Read())
        {
            DeviceRecord record = DeviceDocument.Deserialize(rows.GetFieldValue<byte[]>(2), DeviceId.Parse(rows.GetString(1)));
            if (record.FindRequest(RequestId.Parse(rows.GetString(0))) is { } request && request.IsOpen(now))
                requests.Add(request);
        }

        return requests;
    }

    public List<StoredDocument> ListAll(DeviceId? after, int limit, DateTimeOffset now)
    {
        _listAll.Set("$after", after?.ToString() ?? "").Set("$now", now.ToUnixTimeMilliseconds()).Set("$limit", limit);
        using SqliteDataReader rows = _listAll.ExecuteReader();
        var documents = new List<StoredDocument>();
        while (rows.Read())
        {
            DeviceRecord record = DeviceDocument.Deserialize(rows.GetFieldValue<byte[]>(1), DeviceId.Parse(rows.GetString(0)));
            documents.Add(new StoredDocument(record, rows.IsDBNull(2) ? null : DateTimeOffset.FromUnixTimeMilliseconds(rows.GetInt64(2))));
        }

        return documents;
    }

    /// <summary>Fails if the file does.</summary>
    public bool Ping() => _get.Set("$id", "").Set("$now", 0).ExecuteScalar() is null;

    public void Dispose() => _connection.Dispose();
}
