using Microsoft.Data.Sqlite;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>The one connection that writes, with its prepared statements. For one caller at a time.</summary>
internal sealed class Writer : IDisposable
{
    // In KiB, with SQLite's sign for that. Ids have no order, so pages that do not fit are written again and again (400,000 documents: 60 s
    // without, 18 s with this).
    private const string CacheOfMany = "PRAGMA cache_size = -262144";
    private const string CacheOfOne = "PRAGMA cache_size = -2000";

    // Expired documents already count as absent; this only frees their space, a little at every write and every sign of life.
    private const int ForgottenAtOnce = 100;

    private readonly SqliteConnection _connection;
    private readonly ReplayMarks _marks;
    private readonly SqliteCommand _stored;
    private readonly SqliteCommand _countInAll;
    private readonly SqliteCommand _countOfAddress;
    private readonly SqliteCommand _countOfSubnet;
    private readonly SqliteCommand _countOfStrangers;
    private readonly SqliteCommand _countOfRule;
    private readonly SqliteCommand _countByRules;
    private readonly SqliteCommand _putPairing;
    private readonly SqliteCommand _forgetPairings;
    private readonly SqliteCommand _put;
    private readonly SqliteCommand _dropRequests;
    private readonly SqliteCommand _putRequest;
    private readonly SqliteCommand _forget;
    private readonly SqliteCommand _forgetShared;
    private readonly SqliteCommand _versionOfShared;
    private readonly SqliteCommand _countOfShared;
    private readonly SqliteCommand _putShared;

    public Writer(SqliteConnection connection, ReplayMarks marks)
    {
        _marks = marks;
        _connection = connection;
        _stored = connection.Prepare(
            "SELECT version, document, seen_at FROM devices WHERE id = $id AND (expires_at IS NULL OR expires_at > $now)", "$id", "$now");
        _countInAll = connection.Prepare("SELECT count(*) FROM requests WHERE open_until > $now", "$now");
        _countOfAddress = connection.Prepare(
            "SELECT count(*) FROM requests WHERE address = $address AND open_until > $now", "$address", "$now");
        _countOfSubnet = connection.Prepare("SELECT count(*) FROM requests WHERE subnet = $subnet AND open_until > $now", "$subnet", "$now");
        _countOfStrangers = connection.Prepare(
            "SELECT count(*) FROM requests WHERE strangers = $strangers AND open_until > $now", "$strangers", "$now");
        _countOfRule = connection.Prepare(
            "SELECT count(*) FROM rule_pairings WHERE rule = $rule AND at > $since AND device <> $device", "$rule", "$since", "$device");
        _countByRules = connection.Prepare("SELECT count(*) FROM devices WHERE by_rules = 1");
        _putPairing = connection.Prepare(
            "INSERT OR REPLACE INTO rule_pairings (rule, device, at) VALUES ($rule, $device, $at)", "$rule", "$device", "$at");
        _forgetPairings = connection.Prepare("DELETE FROM rule_pairings WHERE at <= $since", "$since");
        _put = connection.Prepare(
            """
            INSERT INTO devices (key, id, version, paired, by_rules, expires_at, document, seen_at)
            VALUES ($key, $id, $version, $paired, $by_rules, $expires, $document, CASE WHEN $paired THEN $seen END)
            ON CONFLICT (id) DO UPDATE SET version = excluded.version, paired = excluded.paired, by_rules = excluded.by_rules, expires_at = excluded.expires_at, document = excluded.document,
                seen_at = CASE WHEN excluded.paired THEN coalesce(seen_at, excluded.seen_at) END -- it is newer than what was read
            """,
            "$key", "$id", "$version", "$paired", "$by_rules", "$expires", "$document", "$seen");
        _dropRequests = connection.Prepare("DELETE FROM requests WHERE device = $device", "$device");
        _putRequest = connection.Prepare(
            "INSERT INTO requests (id, device, address, subnet, strangers, open_until) VALUES ($id, $device, $address, $subnet, $strangers, $until)",
            "$id", "$device", "$address", "$subnet", "$strangers", "$until");
        _forget = connection.Prepare(
            "DELETE FROM devices WHERE id IN (SELECT id FROM devices WHERE expires_at <= $now ORDER BY expires_at LIMIT $limit)", "$now", "$limit");
        _forgetShared = connection.Prepare("DELETE FROM shared_documents WHERE expires_at <= $now", "$now");
        _versionOfShared = connection.Prepare("SELECT version FROM shared_documents WHERE collection = $collection AND name = $name", "$collection", "$name");
        _countOfShared = connection.Prepare("SELECT count(*) FROM shared_documents WHERE collection = $collection", "$collection");
        _putShared = connection.Prepare(
            "INSERT OR REPLACE INTO shared_documents (collection, name, version, expires_at, content) VALUES ($collection, $name, $version, $expires, $content)",
            "$collection", "$name", "$version", "$expires", "$content");
    }

    public SwapResult Swap(DeviceSwap swap, DateTimeOffset time)
    {
        long now = time.ToUnixTimeMilliseconds();
        string id = swap.Id.ToString();
        using SqliteTransaction transaction = _connection.BeginTransaction(deferred: false);
        if (!IsAsExpected(swap, id, now, transaction))
            return SwapResult.Conflict;
        if (!HasRoom(swap, now, transaction))
            return SwapResult.TooManyRequests;
        if (swap.Pairing is { } pairing && TryPair(pairing, id, now, transaction) is { } tooMany)
            return tooMany;
        if (swap.Once is { } once && !_marks.TryUse(swap.Id, once, swap.Next.IsListed))
            return SwapResult.UsedBefore;

        Put(swap.Next, swap.ExpiresAt, transaction);
        Forget(now, transaction);
        transaction.Commit();
        return SwapResult.Swapped;
    }

    /// <summary>Replaces a document that gateways share. False if another change came first.</summary>
    public bool SwapShared(string? previousVersion, SharedDocument next, DateTimeOffset time)
    {
        using SqliteTransaction transaction = _connection.BeginTransaction(deferred: false);
        _forgetShared.In(transaction).Set("$now", time.ToUnixTimeMilliseconds()).ExecuteNonQuery();
        if (_versionOfShared.In(transaction).Set("$collection", next.Group).Set("$name", next.Name).ExecuteScalar() as string != previousVersion)
            return false;
        if (previousVersion is null && (long)_countOfShared.In(transaction).Set("$collection", next.Group).ExecuteScalar()! >= SharedDocument.MaxInGroup)
            throw new RegistryUnavailableException($"There are too many documents of the group {next.Group}.");
        _putShared.In(transaction).Set("$collection", next.Group).Set("$name", next.Name).Set("$version", next.Version)
            .Set("$expires", next.ExpiresAt.ToUnixTimeMilliseconds()).Set("$content", next.Content.ToArray()).ExecuteNonQuery();
        transaction.Commit();
        return true;
    }

    /// <summary>Frees the space of some of the expired documents.</summary>
    public void Forget(DateTimeOffset time)
    {
        using SqliteTransaction transaction = _connection.BeginTransaction(deferred: false);
        Forget(time.ToUnixTimeMilliseconds(), transaction);
        transaction.Commit();
    }

    /// <summary>Writes documents unchanged, all of them or none.</summary>
    public async Task WriteAllAsync(IAsyncEnumerable<StoredDocument> documents, CancellationToken cancellationToken)
    {
        _connection.Execute(CacheOfMany);
        try
        {
            using SqliteTransaction transaction = _connection.BeginTransaction(deferred: false);
            await foreach (StoredDocument document in documents.WithCancellation(cancellationToken))
                Put(document.Record, document.ExpiresAt, transaction);
            transaction.Commit();
        }
        finally
        {
            _connection.Execute(CacheOfOne);
        }
    }

    public void Dispose() => _connection.Dispose();

    private bool IsAsExpected(DeviceSwap swap, string id, long now, SqliteTransaction transaction)
    {
        using SqliteDataReader rows = _stored.In(transaction).Set("$id", id).Set("$now", now).ExecuteReader();
        bool exists = rows.Read();
        if (!swap.ReplacesDamage)
            return (exists ? rows.GetString(0) : null) == swap.Previous?.Version;
        try
        {
            if (exists)
                Reader.Document(rows, swap.Id, column: 0);
            return false;
        }
        catch (UnreadableDocumentException e)
        {
            return e is DamagedDocumentException; // a document of a newer format is not damaged
        }
    }

    private void Forget(long now, SqliteTransaction transaction) =>
        _forget.In(transaction).Set("$now", now).Set("$limit", ForgottenAtOnce).ExecuteNonQuery();

    private void Put(DeviceRecord record, DateTimeOffset? expiresAt, SqliteTransaction transaction)
    {
        string id = record.Id.ToString();
        _put.In(transaction).Set("$key", DeviceKey.Of(record.Id)).Set("$id", id).Set("$version", record.Version).Set("$paired", record.IsListed ? 1 : 0)
            .Set("$by_rules", record.IsByRulesAlone ? 1 : 0)
            .Set("$expires", expiresAt?.ToUnixTimeMilliseconds()).Set("$document", DeviceDocument.Serialize(record))
            .Set("$seen", record.LastSeenAt?.ToUnixTimeMilliseconds()).ExecuteNonQuery();
        _dropRequests.In(transaction).Set("$device", id).ExecuteNonQuery();
        foreach (PairingRequest request in record.Requests)
        {
            long? until = request.Status == PairingRequestStatus.Open ? request.ExpiresAt.ToUnixTimeMilliseconds() : null;
            var share = PendingShare.Of(request);
            _putRequest.In(transaction).Set("$id", request.Id.ToString()).Set("$device", id).Set("$address", share.Address).Set("$subnet", share.Subnet)
                .Set("$strangers", (int?)share.Strangers).Set("$until", until).ExecuteNonQuery();
        }
    }

    // Null if there is room; then it is counted.
    private SwapResult? TryPair(RulePairing pairing, string device, long now, SqliteTransaction transaction)
    {
        long since = now - (long)RulePairing.Window.TotalMilliseconds;
        _countOfRule.In(transaction).Set("$rule", pairing.Rule).Set("$since", since).Set("$device", device);
        if ((long)_countOfRule.ExecuteScalar()! >= pairing.MaxPerHour)
            return SwapResult.TooManyOfRule;
        if ((long)_countByRules.In(transaction).ExecuteScalar()! >= pairing.MaxInAll)
            return SwapResult.TooManyByRules;
        _forgetPairings.In(transaction).Set("$since", since).ExecuteNonQuery();
        _putPairing.In(transaction).Set("$rule", pairing.Rule).Set("$device", device).Set("$at", now).ExecuteNonQuery();
        return null;
    }

    // A renewal is no new request, and is never refused for lack of room.
    private bool HasRoom(DeviceSwap swap, long now, SqliteTransaction transaction)
    {
        foreach (PairingRequest request in swap.Opened)
        {
            if (swap.Previous?.FindRequest(request.Id) is not null)
                continue;
            var share = PendingShare.Of(request);
            if (Count(_countInAll) >= swap.Limits.InAll || Count(_countOfAddress.Set("$address", share.Address)) >= swap.Limits.PerAddress)
                return false;
            if (share.Subnet is { } subnet && Count(_countOfSubnet.Set("$subnet", subnet)) >= swap.Limits.PerSubnet)
                return false;
            if (share.Strangers is { } locality && Count(_countOfStrangers.Set("$strangers", (int)locality)) >= swap.Limits.OfStrangers(locality))
                return false;
        }

        return true;

        long Count(SqliteCommand command) => (long)command.In(transaction).Set("$now", now).ExecuteScalar()!;
    }
}
