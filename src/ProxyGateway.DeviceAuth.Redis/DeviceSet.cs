using ProxyGateway.DeviceAuth.Pairing;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>A set of devices, in the order of their ids.</summary>
/// <param name="redis">The connection.</param>
/// <param name="key">The set's key.</param>
internal sealed class DeviceSet(RedisConnection redis, RedisKey key)
{
    public Task AddAsync(DeviceId[] ids, Deadline deadline, CancellationToken cancellationToken) => ids.Length == 0
        ? Task.CompletedTask
        : redis.RunAsync(
            database => database.SortedSetAddAsync(key, Array.ConvertAll(ids, id => new SortedSetEntry(id.ToString(), 0)), RedisConnection.Primary),
            deadline,
            cancellationToken);

    /// <summary>Removes a member, which need not be a device.</summary>
    public Task ExpelAsync(RedisValue member, Deadline deadline, CancellationToken cancellationToken) =>
        redis.RunAsync(database => database.SortedSetRemoveAsync(key, member, RedisConnection.Primary), deadline, cancellationToken);

    /// <summary>The next members in order: ids of devices, unless another program wrote to the set.</summary>
    public Task<RedisValue[]> ListAsync(RedisValue after, int count, Deadline deadline, CancellationToken cancellationToken) => redis.RunAsync(
        database => database.SortedSetRangeByValueAsync(key, min: after, exclude: Exclude.Start, take: count, flags: RedisConnection.Primary),
        deadline,
        cancellationToken);
}
