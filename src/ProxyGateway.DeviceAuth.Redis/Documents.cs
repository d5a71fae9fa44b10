using System.Globalization;
using System.Text;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// The documents of devices: the truth. A value is the version and the document, on a line each, and where something is approved the time at
/// which the device was last seen, at the very end and of fixed length: noting it is one small write in place, which costs the device no key
/// of its own and its readers no round trip, and goes where the document goes.
/// </summary>
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

    /// <summary>Notes when devices were seen; sent all at once, as each is in a slot of its own.</summary>
    public Task NoteSeenAsync(IEnumerable<SeenDevice> devices, Deadline deadline, CancellationToken cancellationToken) =>
        Task.WhenAll(devices.Select(d => redis.RunAsync(Script.Touch, keys.Device(d.Device), [SeenAt.Format(d.At)], deadline, cancellationToken)));

    private static string FirstLine(DeviceRecord record) => record.Version + "\n";

    private static byte[] Format(DeviceRecord record) =>
    [
        .. Encoding.UTF8.GetBytes(FirstLine(record)),
        .. DeviceDocument.Serialize(record),
        .. record.IsPaired ? Encoding.UTF8.GetBytes(SeenAt.Format(record.LastSeenAt)) : [],
    ];

    private static DeviceRecord? Parse(DeviceId id, byte[]? value)
    {
        if (value is null)
            return null;
        ReadOnlySpan<byte> document = value.AsSpan(value.AsSpan().IndexOf((byte)'\n') + 1);
        DateTimeOffset? seenAt = SeenAt.Take(ref document);
        return DeviceDocument.Deserialize(document, id) with { LastSeenAt = seenAt };
    }
}

/// <summary>When a device was last seen, as it stands after its document: a line feed and Unix time in milliseconds, in thirteen digits; 0 for never.</summary>
internal static class SeenAt
{
    private const int Digits = 13;

    public static string Format(DateTimeOffset? time) =>
        string.Create(CultureInfo.InvariantCulture, $"\n{time?.ToUnixTimeMilliseconds() ?? 0:D13}");

    /// <summary>Takes the time off the end of a document, if it has one: a document itself is one line.</summary>
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

internal static class ServerTime
{
    /// <summary>The reply to <c>TIME</c>, in whole milliseconds, as the indexes have them.</summary>
    public static DateTimeOffset Read(RedisResult reply) =>
        DateTimeOffset.FromUnixTimeMilliseconds(((long)reply[0] * 1000) + ((long)reply[1] / 1000));
}
