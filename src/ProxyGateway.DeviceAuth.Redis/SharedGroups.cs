using System.Globalization;
using System.Text;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// The documents that gateways share: a sorted set for each group, by expiry. So a group is one key in one slot, and is read without a scan.
/// </summary>
internal sealed class SharedGroups(RedisConnection redis, Keys keys)
{
    public async Task<SharedDocuments> ListAsync(string group, Deadline deadline, CancellationToken cancellationToken)
    {
        RedisResult result = await redis.RunAsync(Script.ListShared, keys.Shared(group), [], deadline, cancellationToken);
        RedisResult members = result[0]; // each with its expiry behind it
        var documents = new List<SharedDocument>();
        for (int i = 0; i + 1 < members.Length; i += 2)
        {
            if (Parse(group, (byte[])members[i]!, (string)members[i + 1]!) is { } document)
                documents.Add(document);
        }

        return new SharedDocuments(documents, ServerTime.Read(result[1]));
    }

    public async Task<bool> SwapAsync(string? previousVersion, SharedDocument next, Deadline deadline, CancellationToken cancellationToken)
    {
        RedisResult result = await redis.RunAsync(
            Script.SwapShared,
            keys.Shared(next.Group),
            [
                next.Name + "\n",
                previousVersion is null ? RedisValue.EmptyString : previousVersion + "\n",
                (byte[])[.. Encoding.ASCII.GetBytes(next.Version + "\n"), .. next.Content.Span],
                next.ExpiresAt.ToUnixTimeMilliseconds(),
                SharedDocument.MaxInGroup,
            ],
            deadline,
            cancellationToken);
        return (int)result >= 0
            ? (int)result == 1
            : throw new RegistryUnavailableException($"There are too many documents of the group {next.Group}.");
    }

    private static SharedDocument? Parse(string group, byte[] member, string expiresAt)
    {
        int name = Array.IndexOf(member, (byte)'\n');
        int version = name < 0 ? -1 : Array.IndexOf(member, (byte)'\n', name + 1);
        return version >= 0 && long.TryParse(expiresAt, CultureInfo.InvariantCulture, out long at)
            ? SharedDocument.Read(
                group,
                Encoding.ASCII.GetString(member, 0, name),
                Encoding.ASCII.GetString(member, name + 1, version - name - 1),
                member.AsMemory(version + 1),
                DateTimeOffset.FromUnixTimeMilliseconds(at))
            : null;
    }
}
