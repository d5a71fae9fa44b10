using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>The index of paired devices, by id: a page costs the same for any number of devices, and a device keeps its place.</summary>
internal sealed class PairedDevices(RedisConnection redis, Keys keys, Documents documents)
{
    /// <summary>The index.</summary>
    public DeviceSet Set { get; } = new(redis, keys.Devices);

    /// <summary>
    /// Enters a device that is about to be paired. For a while no gateway that does not yet see its pairing removes it again.
    /// </summary>
    public Task EnterAsync(DeviceId id, Deadline deadline, CancellationToken cancellationToken) => redis.RunAsync(
        Script.EnterDevice,
        [keys.Devices, keys.Entered(id)],
        [id.ToString(), (long)RedisDeviceStore.GivenUpAfter.TotalMilliseconds],
        deadline,
        cancellationToken);

    /// <summary>Removes a device that is not paired, unless it is being paired or was paired again meanwhile.</summary>
    public async Task RemoveAsync(DeviceId id, Deadline deadline, CancellationToken cancellationToken)
    {
        await redis.RunAsync(Script.LeaveDevice, [keys.Devices, keys.Entered(id)], [id.ToString()], deadline, cancellationToken);

        // A gateway may be delayed between reading the document and this. A document that cannot be read may be a paired device's.
        if (await documents.GetAsync(id, deadline, cancellationToken) is { Damage: not null } or { Record.IsListed: true })
            await Set.AddAsync([id], deadline, cancellationToken);
    }
}
