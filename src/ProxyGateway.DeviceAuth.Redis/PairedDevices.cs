using ProxyGateway.DeviceAuth.Pairing;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>The index of paired devices, by id: a page costs the same for any number of devices, and a device keeps its place.</summary>
internal sealed class PairedDevices(RedisConnection redis, Keys keys, Documents documents)
{
    /// <summary>
    /// Enters a device that is about to be paired. For a while no gateway that does not yet see its pairing removes it again.
    /// </summary>
    public Task EnterAsync(DeviceId id, Deadline deadline, CancellationToken cancellationToken) => redis.RunAsync(
        Script.EnterDevice,
        [keys.Devices, keys.Entered(id)],
        [id.ToString(), (long)RedisDeviceStore.GivenUpAfter.TotalMilliseconds],
        deadline,
        cancellationToken);

    /// <summary>Adds a device that is paired, if it is missing.</summary>
    public Task AddAsync(DeviceId id, Deadline deadline, CancellationToken cancellationToken) =>
        redis.RunAsync(database => database.SortedSetAddAsync(keys.Devices, id.ToString(), 0, RedisConnection.Primary), deadline, cancellationToken);

    public Task AddAsync(DeviceId[] ids, Deadline deadline, CancellationToken cancellationToken) => ids.Length == 0
        ? Task.CompletedTask
        : redis.RunAsync(
            database => database.SortedSetAddAsync(
                keys.Devices, Array.ConvertAll(ids, id => new SortedSetEntry(id.ToString(), 0)), RedisConnection.Primary),
            deadline,
            cancellationToken);

    /// <summary>Removes a device that is not paired, unless it is being paired or was paired again meanwhile.</summary>
    public async Task RemoveAsync(DeviceId id, Deadline deadline, CancellationToken cancellationToken)
    {
        await redis.RunAsync(Script.LeaveDevice, [keys.Devices, keys.Entered(id)], [id.ToString()], deadline, cancellationToken);

        // A gateway may be delayed between reading the document and this. A document that cannot be read may be a paired device's.
        if (await documents.GetAsync(id, deadline, cancellationToken) is { Damage: not null } or { Record.IsListed: true })
            await AddAsync(id, deadline, cancellationToken);
    }

    /// <summary>Removes an entry that is no device.</summary>
    public Task ExpelAsync(RedisValue member, Deadline deadline, CancellationToken cancellationToken) =>
        redis.RunAsync(database => database.SortedSetRemoveAsync(keys.Devices, member, RedisConnection.Primary), deadline, cancellationToken);

    /// <summary>The next members in order: ids of devices, unless another program wrote to the set.</summary>
    public Task<RedisValue[]> ListAsync(RedisValue after, int count, Deadline deadline, CancellationToken cancellationToken) => redis.RunAsync(
        database => database.SortedSetRangeByValueAsync(keys.Devices, min: after, exclude: Exclude.Start, take: count, flags: RedisConnection.Primary),
        deadline,
        cancellationToken);
}
