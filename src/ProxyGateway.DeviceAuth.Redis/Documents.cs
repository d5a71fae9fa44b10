using System.Text;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>The documents of devices: the truth.</summary>
internal sealed class Documents(RedisConnection redis, Keys keys)
{
    public async Task<StoredDevice> GetAsync(DeviceId id, Deadline deadline, CancellationToken cancellationToken)
    {
        RedisResult result = await redis.RunAsync(Script.Get, keys.Device(id), [], deadline, cancellationToken);
        return new StoredDevice(Parse(id, (byte[]?)result[0]), ServerTime.Read(result[1]));
    }

    /// <summary>The records of many devices, in order; asked for all at once, as each is in a slot of its own.</summary>
    public Task<DeviceRecord?[]> GetAsync(IEnumerable<DeviceId> ids, Deadline deadline, CancellationToken cancellationToken) =>
        Task.WhenAll(ids.Select(async id =>
            Parse(id, await redis.RunAsync(database => database.StringGetAsync(keys.Device(id), RedisConnection.Primary), deadline, cancellationToken))));

    /// <summary>Whether the document still was the one that was read, and so was replaced.</summary>
    public async Task<bool> SwapAsync(DeviceSwap swap, Deadline deadline, CancellationToken cancellationToken)
    {
        bool isOfSubstance = swap.Previous?.Version != swap.Next.Version; // anything else is nobody's news
        RedisResult result = await redis.RunAsync(
            Script.Swap,
            keys.Device(swap.Id),
            [
                swap.Previous is { } previous ? FirstLine(previous) : RedisValue.EmptyString,
                Format(swap.Next),
                swap.ExpiresAt?.ToUnixTimeMilliseconds() ?? RedisValue.EmptyString,
                isOfSubstance ? keys.Changes : RedisValue.EmptyString,
                swap.Id.ToString(),
            ],
            deadline,
            cancellationToken);
        return (int)result == 1;
    }

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

    /// <summary>Writes documents as they are, whatever was there, and announces nothing.</summary>
    public Task RestoreAsync(IEnumerable<StoredDocument> documents, Deadline deadline, CancellationToken cancellationToken) => redis.RunAsync(
        database => Task.WhenAll(documents.Select(d => database.StringSetAsync(
            keys.Device(d.Record.Id),
            Format(d.Record),
            d.ExpiresAt is { } until ? new Expiration(until.UtcDateTime) : default,
            flags: RedisConnection.Primary))),
        deadline,
        cancellationToken);

    private static string FirstLine(DeviceRecord record) => record.Version + "\n";

    private static byte[] Format(DeviceRecord record) => [.. Encoding.UTF8.GetBytes(FirstLine(record)), .. DeviceDocument.Serialize(record)];

    private static DeviceRecord? Parse(DeviceId id, byte[]? value) =>
        value is null ? null : DeviceDocument.Deserialize(value.AsSpan(value.AsSpan().IndexOf((byte)'\n') + 1), id);
}

internal static class ServerTime
{
    /// <summary>The reply to <c>TIME</c>, in whole milliseconds, as the indexes have them.</summary>
    public static DateTimeOffset Read(RedisResult reply) =>
        DateTimeOffset.FromUnixTimeMilliseconds(((long)reply[0] * 1000) + ((long)reply[1] / 1000));
}
