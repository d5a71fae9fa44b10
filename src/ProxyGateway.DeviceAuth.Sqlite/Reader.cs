using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>A connection that reads, with its prepared statements. For one thread at a time.</summary>
internal sealed class Reader : IDisposable
{
    private readonly ILogger _logger;
    private readonly SqliteConnection _connection;
    private readonly SqliteCommand _get;
    private readonly SqliteCommand _version;
    private readonly SqliteCommand _findRequest;
    private readonly SqliteCommand _listDevices;
    private readonly SqliteCommand _listOpenRequests;
    private readonly SqliteCommand _listAll;
    private readonly SqliteCommand _hasExpired;
    private readonly SqliteCommand _listShared;

    public Reader(SqliteConnection connection, ILogger logger)
    {
        _logger = logger;
        _connection = connection;
        _get = connection.Prepare(
            "SELECT version, document, seen_at FROM devices WHERE key = $key AND id = $id AND (expires_at IS NULL OR expires_at > $now)", "$key", "$id", "$now");
        _version = connection.Prepare(
            "SELECT version FROM devices WHERE key = $key AND id = $id AND (expires_at IS NULL OR expires_at > $now)", "$key", "$id", "$now");
        _findRequest = connection.Prepare("SELECT device FROM requests WHERE id = $id", "$id");
        _listDevices = connection.Prepare(
            "SELECT id, version, document, seen_at FROM devices WHERE paired = 1 AND id > $after ORDER BY id", "$after");
        _listOpenRequests = connection.Prepare(
            """
            SELECT d.id, d.version, d.document, d.seen_at, r.id FROM requests r JOIN devices d ON d.id = r.device
            WHERE r.open_until > $now AND r.id < $before ORDER BY r.id DESC
            """,
            "$now", "$before");
        _listAll = connection.Prepare(
            """
            SELECT id, version, document, seen_at, expires_at FROM devices
            WHERE id > $after AND (expires_at IS NULL OR expires_at > $now) ORDER BY id LIMIT $limit
            """,
            "$after", "$now", "$limit");
        _hasExpired = connection.Prepare("SELECT EXISTS (SELECT 1 FROM devices WHERE expires_at <= $now)", "$now");
        _listShared = connection.Prepare(
            "SELECT name, version, content, expires_at FROM shared_documents WHERE collection = $collection AND expires_at > $now", "$collection", "$now");
        Audit = new AuditReader(connection);
    }

    public AuditReader Audit { get; }

    public StoredDevice Get(DeviceId id, DateTimeOffset now)
    {
        using SqliteDataReader rows = Find(_get, id, now).ExecuteReader();
        try
        {
            return new StoredDevice(rows.Read() ? Document(rows, id, column: 0) : null, now);
        }
        catch (UnreadableDocumentException e)
        {
            return new StoredDevice(e, now);
        }
    }

    public string? Version(DeviceId id, DateTimeOffset now) =>
        Find(_version, id, now).ExecuteScalar() as string;

    public DeviceId? FindRequest(RequestId id) =>
        _findRequest.Set("$id", id.ToString()).ExecuteScalar() is string text && DeviceId.TryParse(text, out DeviceId device) ? device : null;

    public PagedResult<DeviceRecord> ListDevices(string? after, int limit)
    {
        using SqliteDataReader rows = _listDevices.Set("$after", after ?? "").ExecuteReader();
        var records = new List<DeviceRecord>();
        var newer = new List<NewerDocument>();
        while (rows.Read())
        {
            if (!TryDocument(rows, out DeviceRecord? record, out NewerDocument? document))
                continue;
            if (records.Count + newer.Count == limit)
                return new PagedResult<DeviceRecord>(records, after) { Newer = newer };
            if (record is not null)
                records.Add(record);
            else
                newer.Add(document!);
            after = rows.GetString(0);
        }

        return new PagedResult<DeviceRecord>(records, Next: null) { Newer = newer };
    }

    public PagedResult<PairingRequest> ListOpenRequests(string? before, int limit, DateTimeOffset now)
    {
        _listOpenRequests.Set("$now", now.ToUnixTimeMilliseconds()).Set("$before", before ?? "~"); // ids are digits and letters
        using SqliteDataReader rows = _listOpenRequests.ExecuteReader();
        var requests = new List<PairingRequest>();
        var newer = new List<NewerDocument>();
        while (rows.Read())
        {
            PairingRequest? request = null;
            if (!TryDocument(rows, out DeviceRecord? record, out NewerDocument? document)
                || (record is not null && (request = OpenRequest(record, rows.GetString(4), now)) is null)
                || (document is not null && newer.Contains(document)))
                continue;
            if (requests.Count + newer.Count == limit)
                return new PagedResult<PairingRequest>(requests, before) { Newer = newer };
            if (request is not null)
                requests.Add(request);
            else
                newer.Add(document!);
            before = rows.GetString(4);
        }

        return new PagedResult<PairingRequest>(requests, Next: null) { Newer = newer };
    }

    public List<StoredDocument> ListAll(DeviceId? after, int limit, DateTimeOffset now)
    {
        _listAll.Set("$after", after?.ToString() ?? "").Set("$now", now.ToUnixTimeMilliseconds()).Set("$limit", limit);
        using SqliteDataReader rows = _listAll.ExecuteReader();
        var documents = new List<StoredDocument>();
        while (rows.Read())
        {
            if (!DeviceId.TryParse(rows.GetString(0), out DeviceId id))
                throw new RegistryUnavailableException($"The row '{rows.GetString(0)}' is no device's.");
            DeviceRecord record = Document(rows, id, column: 1);
            documents.Add(new StoredDocument(record, rows.IsDBNull(4) ? null : DateTimeOffset.FromUnixTimeMilliseconds(rows.GetInt64(4))));
        }

        return documents;
    }

    /// <summary>The documents of a group that have not expired.</summary>
    public List<SharedDocument> ListShared(string group, DateTimeOffset now)
    {
        using SqliteDataReader rows = _listShared.Set("$collection", group).Set("$now", now.ToUnixTimeMilliseconds()).ExecuteReader();
        var documents = new List<SharedDocument>();
        while (rows.Read())
        {
            var expiresAt = DateTimeOffset.FromUnixTimeMilliseconds(rows.GetInt64(3));
            if (SharedDocument.Read(group, rows.GetString(0), rows.GetString(1), rows.GetFieldValue<byte[]>(2), expiresAt) is { } document)
                documents.Add(document);
        }

        return documents;
    }

    /// <summary>Whether there are expired documents to delete.</summary>
    public bool HasExpired(DateTimeOffset now) => (long)_hasExpired.Set("$now", now.ToUnixTimeMilliseconds()).ExecuteScalar()! == 1;

    /// <summary>Fails if the file does.</summary>
    public bool Ping() => _get.Set("$key", -1).Set("$id", "").Set("$now", 0).ExecuteScalar() is null;

    public void Dispose() => _connection.Dispose();

    /// <summary>The record in the columns version, document and seen_at.</summary>
    /// <exception cref="UnreadableDocumentException">It cannot be read.</exception>
    public static DeviceRecord Document(SqliteDataReader row, DeviceId id, int column)
    {
        DeviceRecord record = DeviceDocument.Deserialize(row.GetFieldValue<byte[]>(column + 1), id, row.GetString(column));
        return row.IsDBNull(column + 2) ? record : record with { LastSeenAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(column + 2)) };
    }

    private static SqliteCommand Find(SqliteCommand command, DeviceId id, DateTimeOffset now) =>
        command.Set("$key", DeviceKey.Of(id)).Set("$id", id.ToString()).Set("$now", now.ToUnixTimeMilliseconds());

    private static PairingRequest? OpenRequest(DeviceRecord record, string id, DateTimeOffset now) =>
        RequestId.TryParse(id, out RequestId parsed) && record.FindRequest(parsed) is { } request && request.IsOpen(now) ? request : null;

    // One document that cannot be read must not hide the others. False if it is damaged.
    private bool TryDocument(SqliteDataReader row, out DeviceRecord? record, out NewerDocument? newer)
    {
        (record, newer) = (null, null);
        if (!DeviceId.TryParse(row.GetString(0), out DeviceId id))
        {
            Log.ForeignRow(_logger, row.GetString(0));
            return false;
        }

        try
        {
            record = Document(row, id, column: 1);
            return true;
        }
        catch (NewerDocumentException e)
        {
            newer = e.Document;
            return true;
        }
        catch (DamagedDocumentException e)
        {
            Log.DamagedDocument(_logger, e.Device, e);
            return false;
        }
    }
}
