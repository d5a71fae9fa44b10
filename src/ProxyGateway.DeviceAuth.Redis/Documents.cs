using System.Globalization;
using System.Text;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// The documents of devices: the truth. A value is the version and the document, on a line each. If something is approved, the time at
/// which the device was last seen follows at the very end, with fixed length: it can be written in place, needs no key of its own and no
/// round trip to read, and expires with the document.
/// </summary>
internal sealed class Documents(RedisConnection redis, Keys keys)
{
    /// <summary>What <see cref="SwapAsync"/> returns if the name that it should mark was used before: no replication id.</summary>
    public const string UsedBefore = "used";

    private readonly ParsedDocuments _parsed = new();

    public async Task<StoredDevice> GetAsync(DeviceId id, Deadline deadline, CancellationToken cancellationToken) =>
        Read(id, await redis.RunAsync(Script.Get, keys.Device(id), [], deadline, cancellationToken));

    /// <summary>Reads, and marks a name as used if there is a document.</summary>
    public async Task<StoredDevice> GetAsync(DeviceId id, UseOnce once, Deadline deadline, CancellationToken cancellationToken)
    {
        RedisResult result = await redis.RunAsync(
            Script.GetOnce,
            [keys.Device(id), keys.Used(id, once), keys.Uses(id)],
            [Milliseconds(once), UseOnce.MostOfKnownDevice, UseOnce.MostOfOtherDevice],
            deadline,
            cancellationToken);
        UseMark mark = (int)result[2] switch
        {
            0 => UseMark.None,
            1 => UseMark.Made,
            2 => UseMark.UsedBefore,
            _ => throw new RegistryUnavailableException("The device has used too many proofs within the time for which they must be remembered.") { IsContended = true },
        };
        return Read(id, result) with { Mark = mark };
    }

    /// <summary>The records of many devices, in order. All commands are sent at once, as each device has a slot of its own.</summary>
    public Task<FoundDocument[]> GetAsync(IEnumerable<DeviceId> ids, Deadline deadline, CancellationToken cancellationToken) =>
        Task.WhenAll(ids.Select(async id =>
        {
            try
            {
                return new FoundDocument(
                    Parse(id, await redis.RunAsync(database => database.StringGetAsync(keys.Device(id), RedisConnection.Primary), deadline, cancellationToken)));
            }
            catch (UnreadableDocumentException e)
            {
                return new FoundDocument(Record: null, e);
            }
            catch (RegistryUnavailableException e) when (e.InnerException is RedisServerException { Message: var message } && message.StartsWith("WRONGTYPE", StringComparison.Ordinal))
            {
                return new FoundDocument(Record: null, new DamagedDocumentException(id, "it is no string", e));
            }
        }));

    /// <summary>The versions of many records, null where there is none. Those that cannot be read are missing.</summary>
    /// <exception cref="RegistryUnavailableException">None can be read.</exception>
    public async Task<Dictionary<DeviceId, string?>> GetVersionsAsync(
        IReadOnlyCollection<DeviceId> ids, Deadline deadline, CancellationToken cancellationToken)
    {
        RegistryUnavailableException? failure = null;
        var versions = new Dictionary<DeviceId, string?>(ids.Count);
        foreach ((DeviceId id, Task<RedisResult> reading) in ids.Select(id => (id, ReadVersionAsync(id))).ToArray())
        {
            try
            {
                versions[id] = (string?)await reading;
            }
            catch (RegistryUnavailableException e)
            {
                failure = e;
            }
        }

        return versions.Count > 0 || failure is null ? versions : throw failure;

        Task<RedisResult> ReadVersionAsync(DeviceId id) => redis.RunAsync(Script.Version, keys.Device(id), [], deadline, cancellationToken);
    }

    /// <summary>
    /// Replaces the document if it is still the one that was read; null if it is not. Returns the replication id of the data that it is in
    /// if that was requested, else nothing; or <see cref="UsedBefore"/>.
    /// </summary>
    public async Task<string?> SwapAsync(DeviceSwap swap, bool toBeConfirmed, Deadline deadline, CancellationToken cancellationToken)
    {
        RedisValue damaged = RedisValue.EmptyString;
        if (swap.ReplacesDamage)
        {
            // In this order: the document that still has the fingerprint when it is replaced is the one that was found damaged.
            damaged = (RedisValue)await redis.RunAsync(Script.Fingerprint, keys.Device(swap.Id), [], deadline, cancellationToken);
            if ((await GetAsync(swap.Id, deadline, cancellationToken)).Damage is not DamagedDocumentException)
                return null; // a document of a newer format is not damaged
        }

        bool isOfSubstance = swap.Previous?.Version != swap.Next.Version; // other changes are not announced
        RedisResult result = await redis.RunAsync(
            Script.Swap,
            swap.Once is { } used ? [keys.Device(swap.Id), keys.Used(swap.Id, used)] : [keys.Device(swap.Id)],
            [
                swap.Previous is { } previous ? FirstLine(previous) : RedisValue.EmptyString,
                Format(swap.Next),
                swap.ExpiresAt?.ToUnixTimeMilliseconds() ?? RedisValue.EmptyString,
                isOfSubstance ? keys.Changes : RedisValue.EmptyString,
                $"{swap.Id} {swap.Next.Version}",
                swap.IsRestriction ? 1 : RedisValue.EmptyString,
                toBeConfirmed ? 1 : RedisValue.EmptyString,
                damaged,
                swap.Once is { } once ? Milliseconds(once) : RedisValue.EmptyString,
            ],
            deadline,
            cancellationToken);
        return (string?)result;
    }

    /// <summary>Notes when devices were seen. All commands are sent at once, as each device has a slot of its own.</summary>
    public Task NoteSeenAsync(IEnumerable<SeenDevice> devices, Deadline deadline, CancellationToken cancellationToken) =>
        Task.WhenAll(devices.Select(d => redis.RunAsync(Script.Touch, keys.Device(d.Device), [SeenAt.Format(d.At)], deadline, cancellationToken)));

    /// <summary>The documents of many devices as they are; null where there is none.</summary>
    public Task<StoredDocument?[]> ExportAsync(IEnumerable<DeviceId> ids, Deadline deadline, CancellationToken cancellationToken) =>
        Task.WhenAll(ids.Select(async id =>
        {
            RedisResult result = await redis.RunAsync(Script.Export, keys.Device(id), [], deadline, cancellationToken);
            if (Parse(id, (byte[]?)result[0]) is not { } record)
                return default(StoredDocument?);
            DateTimeOffset? expiresAt = (long)result[1] < 0 ? null : ServerTime.Read(result[2]).AddMilliseconds((long)result[1]);
            return new StoredDocument(record, expiresAt);
        }));

    /// <summary>Writes documents unchanged over existing ones, and announces nothing.</summary>
    public Task RestoreAsync(IEnumerable<StoredDocument> documents, Deadline deadline, CancellationToken cancellationToken) => redis.RunAsync(
        database => Task.WhenAll(documents.Select(d => database.StringSetAsync(
            keys.Device(d.Record.Id),
            Format(d.Record),
            d.ExpiresAt is { } until ? new Expiration(until.UtcDateTime) : default,
            flags: RedisConnection.Primary))),
        deadline,
        cancellationToken);

    private StoredDevice Read(DeviceId id, RedisResult result)
    {
        DateTimeOffset now = ServerTime.Read(result[1]);
        try
        {
            return new StoredDevice(Parse(id, (byte[]?)result[0]), now);
        }
        catch (UnreadableDocumentException e)
        {
            return new StoredDevice(e, now);
        }
    }

    // Never less than what was asked for.
    private static long Milliseconds(UseOnce once) => (long)Math.Ceiling(once.Period.TotalMilliseconds);

    private static string FirstLine(DeviceRecord record) => record.Version + "\n";

    private static byte[] Format(DeviceRecord record) =>
    [
        .. Encoding.UTF8.GetBytes(FirstLine(record)),
        .. DeviceDocument.Serialize(record),
        .. record.IsListed ? Encoding.UTF8.GetBytes(SeenAt.Format(record.LastSeenAt)) : [],
    ];

    private DeviceRecord? Parse(DeviceId id, byte[]? value)
    {
        if (value is null)
            return null;
        int firstLine = value.AsSpan().IndexOf((byte)'\n');
        if (firstLine < 0)
            throw new DamagedDocumentException(id, "it is not a version and a document");
        ReadOnlySpan<byte> document = value.AsSpan(firstLine + 1);
        DateTimeOffset? seenAt = SeenAt.Take(ref document);
        ReadOnlySpan<byte> whole = value.AsSpan(0, firstLine + 1 + document.Length);
        DeviceRecord? record = _parsed.Find(id, whole);
        if (record is null)
        {
            record = DeviceDocument.Deserialize(document, id, Encoding.UTF8.GetString(value, 0, firstLine));
            _parsed.Keep(whole, record);
        }

        return record with { LastSeenAt = seenAt };
    }
}

/// <summary>
/// The time at which a device was last seen, after its document: a line feed and Unix time in milliseconds, in thirteen digits; 0 for
/// never.
/// </summary>
internal static class SeenAt
{
    private const int Digits = 13;

    public static string Format(DateTimeOffset? time) =>
        string.Create(CultureInfo.InvariantCulture, $"\n{time?.ToUnixTimeMilliseconds() ?? 0:D13}");

    /// <summary>Removes the time from the end of a document, if it has one: the document itself is one line.</summary>
    public static DateTimeOffset? Take(ref ReadOnlySpan<byte> document)
    {
        if (document.Length <= Digits
            || document[^(Digits + 1)] != '\n'
            || !long.TryParse(document[^Digits..], NumberStyles.None, CultureInfo.InvariantCulture, out long time))
            return null;
        document = document[..^(Digits + 1)];
        return time == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(time);
    }
}

/// <summary>One of many documents.</summary>
/// <param name="Record">The record; null if there is none.</param>
/// <param name="Damage">Why the document cannot be read: it is damaged, or of a newer format; null if it can.</param>
internal readonly record struct FoundDocument(DeviceRecord? Record, UnreadableDocumentException? Damage = null)
{
    /// <summary>The document, if it is of a newer format.</summary>
    public NewerDocument? Newer => (Damage as NewerDocumentException)?.Document;
}

internal static class ServerTime
{
    /// <summary>The reply to <c>TIME</c>, in whole milliseconds, as the indexes have them.</summary>
    public static DateTimeOffset Read(RedisResult reply) =>
        DateTimeOffset.FromUnixTimeMilliseconds(((long)reply[0] * 1000) + ((long)reply[1] / 1000));
}
