using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>The index of paired devices, by id: pages cost the same however many there are, and each device has one place whatever is written.</summary>
internal sealed class PairedDevices(RedisConnection redis, Keys keys, Documents documents)
{
    public Task AddAsync(DeviceId id, Deadline deadline, CancellationToken cancellationToken) =>
        redis.RunAsync(database => database.SortedSetAddAsync(keys.Devices, id.ToString(), 0, RedisConnection.Primary), deadline, cancellationToken);

    public Task AddAsync(DeviceId[] ids, Deadline deadline, CancellationToken cancellationToken) => ids.Length == 0
        ? Task.CompletedTask
        : redis.RunAsync(
            database => database.SortedSetAddAsync(
                keys.Devices, Array.ConvertAll(ids, id => new SortedSetEntry(id.ToString(), 0)), RedisConnection.Primary),
            deadline,
            cancellationToken);

    /// <summary>Takes a device out that is not paired, unless it was paired again meanwhile.</summary>
    public async Task RemoveAsync(DeviceId id, Deadline deadline, CancellationToken cancellationToken)
    {
        await redis.RunAsync(database => database.SortedSetRemoveAsync(keys.Devices, id.ToString(), RedisConnection.Primary), deadline, cancellationToken);

        // Whoever pairs a device adds it here both before and after, so one of the two sees the other.
        if ((await documents.GetAsync(id, deadline, cancellationToken)).Record is { IsPaired: true })
            await AddAsync(id, deadline, cancellationToken);
    }

    /// <summary>The next devices in order of id.</summary>
    public async Task<DeviceId[]> ListAsync(string? after, int count, Deadline deadline, CancellationToken cancellationToken)
    {
        RedisValue[] ids = await redis.RunAsync(
            database => database.SortedSetRangeByValueAsync(
                keys.Devices, min: after ?? default(RedisValue), exclude: Exclude.Start, take: count, flags: RedisConnection.Primary),
            deadline,
            cancellationToken);
        return Array.ConvertAll(ids, text => DeviceId.TryParse(text, out DeviceId id)
            ? id
            : throw new RegistryUnavailableException("The index of paired devices holds what is no device."));
    }
}
