using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// The names of keys and channels. No command and no script touches keys of two slots, so a Redis Cluster may spread them.
/// </summary>
internal sealed class Keys(string prefix)
{
    /// <summary>Sorted set of open requests, <see cref="PendingMember"/>s by expiry.</summary>
    public RedisKey Pending { get; } = prefix + "pending";

    /// <summary>Sorted set of the ids of paired devices, all with score 0: by name.</summary>
    public RedisKey Devices { get; } = prefix + "devices";

    /// <summary>Sorted set of the ids of devices that rules alone have approved, all with score 0.</summary>
    public RedisKey ByRules { get; } = prefix + "by-rules";

    /// <summary>Sorted set of the ids of devices that a rule has paired, by the time at which they no longer count.</summary>
    public RedisKey Rule(string name) => $"{prefix}rule:{name}";

    /// <summary>Marks for a while that a device was entered into <see cref="Devices"/>; in the same slot.</summary>
    public RedisKey Entered(DeviceId id) => $"{prefix}{{{prefix}devices}}:{id}";

    /// <summary>The format of the registry as a whole: a number.</summary>
    public RedisKey Format { get; } = prefix + "format";

    /// <summary>Sorted set of the documents that gateways share, of one group, by expiry.</summary>
    public RedisKey Shared(string group) => $"{prefix}shared:{group}";

    /// <summary>The channel on which a changed device's id is announced.</summary>
    public RedisValue Changes { get; } = prefix + "changes";

    /// <summary>The pattern of all documents.</summary>
    public RedisValue AnyDevice { get; } = string.Concat(prefix.Select(c => "*?[]^\\".Contains(c, StringComparison.Ordinal) ? $"\\{c}" : c.ToString())) + "{*}";

    /// <summary>The streams of the audit, by <see cref="AuditSource"/>.</summary>
    public RedisKey[] AuditStreams { get; } = Array.ConvertAll(
        Enum.GetNames<AuditSource>(), source => (RedisKey)$"{prefix}{{audit}}:{source.ToLowerInvariant()}");

    /// <summary>The number of a writer's last batch of audit entries.</summary>
    public RedisKey AuditWriter(string writer) => $"{prefix}{{audit}}:writer:{writer}";

    /// <summary>The document, in the device's own slot.</summary>
    public RedisKey Device(DeviceId id) => $"{prefix}{{{id}}}";

    /// <summary>Marks that a name of a device was used, in the slot of its document.</summary>
    public RedisKey Used(DeviceId id, UseOnce once) => $"{prefix}{{{id}}}:used:{once.MarkOf(id)}";

    /// <summary>How many names of a device are marked, in the same slot.</summary>
    public RedisKey Uses(DeviceId id) => $"{prefix}{{{id}}}:uses";

    /// <summary>The device whose document is under this key, if it is one of a document.</summary>
    public bool TryParseDevice(RedisKey key, out DeviceId id)
    {
        string text = key.ToString();
        bool hasForm = text.Length == prefix.Length + DeviceId.Length + 2 && text.StartsWith(prefix, StringComparison.Ordinal);
        return DeviceId.TryParse(hasForm ? text[(prefix.Length + 1)..^1] : null, out id);
    }

    /// <summary>The id of the device that made a request.</summary>
    public RedisKey Request(RequestId id) => $"{prefix}request:{id}";

    /// <summary>
    /// Sorted sets like <see cref="Pending"/>, for each share that a request counts in: one client address, or the block of addresses that
    /// counts as one.
    /// </summary>
    public RedisKey Address(PendingShare share) => $"{prefix}address:{share.Address}";

    /// <inheritdoc cref="Address"/>
    public RedisKey Subnet(string subnet) => $"{prefix}subnet:{subnet}";

    /// <inheritdoc cref="Address"/>
    public RedisKey Strangers(LocalityKind locality) => $"{prefix}strangers:{locality.ToString().ToLowerInvariant()}";
}

/// <summary>A request and its device, as the sorted sets of open requests have them.</summary>
internal readonly record struct PendingMember(RequestId Request, DeviceId Device)
{
    public override string ToString() => $"{Request}:{Device}";

    public static PendingMember? Parse(string text) =>
        text.Split(':') is [var request, var device] && RequestId.TryParse(request, out RequestId requestId) && DeviceId.TryParse(device, out DeviceId deviceId)
            ? new PendingMember(requestId, deviceId)
            : null;
}
