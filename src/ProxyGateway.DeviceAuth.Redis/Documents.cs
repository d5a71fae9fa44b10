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

    /// <summary>
    /// Replaces the document if it still is the one that was read; null if it is not. Answers the replication id of the data that it is in,
    /// if that was asked for, or else nothing.
    /// </summary>
    public async Task<string?> SwapAsync(DeviceSwap swap, bool toBeConfirmed, Deadline deadline, CancellationToken cancellationToken)
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
                swap.TakesAway ? 1 : RedisValue.EmptyString,
                toBeConfirmed ? 1 : RedisValue.EmptyString,
            ],
            deadline,
            cancellationToken);
        return (string?)result;
    }

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
