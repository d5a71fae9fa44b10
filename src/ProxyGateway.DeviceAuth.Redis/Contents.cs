using System.Net;
using System.Runtime.CompilerServices;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>All documents, one after the other: for copying.</summary>
internal sealed class Contents(
    RedisConnection redis,
    Keys keys,
    Documents documents,
    OpenRequests openRequests,
    PairedDevices pairedDevices,
    RulePairings rulePairings)
{
    private const int AtOnce = 512;
    private const int SlotsOfCluster = 16384;

    /// <summary>Reads the servers' documents, independent of the indexes. The time-out is for each step.</summary>
    public async IAsyncEnumerable<StoredDocument> ReadAsync(TimeSpan timeout, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (IServer server in await redis.RunAsync(database => Task.FromResult(Primaries(database)), new Deadline(timeout), cancellationToken))
        {
            await foreach (DeviceId[] ids in ListAsync(server, timeout, cancellationToken).Chunk(AtOnce))
            {
                foreach (StoredDocument? document in await documents.ExportAsync(ids, new Deadline(timeout), cancellationToken))
                {
                    if (document is { } found) // it may have expired since
                        yield return found;
                }
            }
        }
    }

    /// <summary>Writes documents, and their indexes before them. The time-out is for each step.</summary>
    public async Task WriteAsync(IAsyncEnumerable<StoredDocument> all, TimeSpan timeout, CancellationToken cancellationToken)
    {
        await foreach (StoredDocument[] some in all.Chunk(AtOnce).WithCancellation(cancellationToken))
        {
            var deadline = new Deadline(timeout);
            foreach (StoredDocument document in some.Where(d => !d.Record.Requests.IsEmpty))
                await openRequests.RestoreAsync(document, deadline, cancellationToken);
            await pairedDevices.Set.AddAsync([.. some.Where(d => d.Record.IsListed).Select(d => d.Record.Id)], deadline, cancellationToken);
            await rulePairings.Set.AddAsync([.. some.Where(d => d.Record.IsByRulesAlone).Select(d => d.Record.Id)], deadline, cancellationToken);
            await documents.RestoreAsync(some, deadline, cancellationToken);
        }
    }

    /// <summary>The servers that hold all keys between them: one, or the primaries of a cluster.</summary>
    private static IServer[] Primaries(IDatabase database)
    {
        IServer[] servers = [.. database.Multiplexer.GetServers().Where(s => s is { IsConnected: true, IsReplica: false })];
        if (servers is not [IServer first, ..])
            throw new RegistryUnavailableException("No primary of Redis can be reached.");
        if (first.ServerType != ServerType.Cluster)
            return servers;

        ClusterNode[] primaries = [.. first.ClusterConfiguration?.Nodes.Where(n => n is { IsReplica: false, Slots.Count: > 0 }) ?? []];
        return primaries.Sum(n => n.Slots.Sum(range => range.To - range.From + 1)) == SlotsOfCluster
            ? Array.ConvertAll(primaries, n => database.Multiplexer.GetServer(n.EndPoint ?? new DnsEndPoint("unknown", 0)))
            : throw new RegistryUnavailableException("Some slots of the cluster are served by nobody: a copy would not be whole.");
    }

    private async IAsyncEnumerable<DeviceId> ListAsync(
        IServer server, TimeSpan timeout, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using IAsyncEnumerator<RedisKey> found =
            server.KeysAsync(pattern: keys.AnyDevice, pageSize: AtOnce, flags: RedisConnection.Primary).GetAsyncEnumerator(cancellationToken);
        while (await redis.RunAsync(_ => found.MoveNextAsync().AsTask(), new Deadline(timeout), cancellationToken))
        {
            if (keys.TryParseDevice(found.Current, out DeviceId id))
                yield return id;
        }
    }
}
