using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// Asks replicas, with <c>WAIT</c>, whether they have a write of their primary. <c>WAIT</c> blocks its whole connection, which all
/// handshakes share. So this uses another connection, for one question at a time. That connection still confirms writes of the shared one:
/// replication is one sequence, so a replica with the later <see cref="Script.Stamp"/> has the earlier swap. This holds only if both are of
/// one sequence, which the replication id shows: a primary that takes over begins another.
/// </summary>
internal sealed class Replicas(RedisConnection redis, Keys keys, int wanted) : IAsyncDisposable
{
    // Also in a cluster all must go to the one node that made the swap: with a redirected stamp WAIT would have nothing to wait for.
    private const CommandFlags HereOnly = CommandFlags.NoRedirect | RedisConnection.Primary;

    private readonly ConcurrentDictionary<EndPoint, SemaphoreSlim> _turns = new();

    /// <summary>Waits until the configured number of replicas has the document that was swapped in.</summary>
    /// <param name="id">The device whose document was swapped.</param>
    /// <param name="lineage">The replication id that the swap returned.</param>
    /// <param name="deadline">Until when to wait.</param>
    /// <exception cref="RegistryUnavailableException">They have not confirmed it. <see cref="RegistryUnavailableException.ChangeWasMade"/>
    /// is true.</exception>
    public async Task ConfirmAsync(DeviceId id, string lineage, Deadline deadline)
    {
        long confirmed = 0;
        RegistryUnavailableException? failure = null;
        try
        {
            confirmed = await redis.RunAsync(database => CountAsync(database, keys.Device(id), lineage, deadline), deadline, CancellationToken.None);
        }
        catch (RegistryUnavailableException e)
        {
            failure = e;
        }

        if (confirmed >= wanted)
            return;
        string message = $"The change was made on the primary, but {confirmed} of the {wanted} replicas that Registry:Redis:WaitForReplicas asks for "
            + "confirmed it in time. It holds; a failover may still undo it. It may be repeated until it is confirmed.";
        throw failure is null
            ? new RegistryUnavailableException(message) { ChangeWasMade = true }
            : new RegistryUnavailableException($"{message} ({failure.Message})", failure) { ChangeWasMade = true };
    }

    public ValueTask DisposeAsync() => redis.DisposeAsync();

    private async Task<long> CountAsync(IDatabase database, RedisKey key, string lineage, Deadline deadline)
    {
        EndPoint primary = await database.IdentifyEndpointAsync(key, RedisConnection.Primary)
            ?? throw new RegistryUnavailableException("No primary is connected.");
        IServer server = database.Multiplexer.GetServer(primary);
        SemaphoreSlim turn = _turns.GetOrAdd(primary, static _ => new SemaphoreSlim(1));
        if (!await turn.WaitAsync(deadline.Remaining))
            throw new TimeoutException();
        try
        {
            // If the connection was lost and made again in between, it has written nothing, and WAIT would report that every replica has
            // that. The name detects this.
            string name = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
            // 0 would wait for ever; the rest is for the answer
            long milliseconds = Math.Max(1, (long)(deadline.Remaining.TotalMilliseconds * 0.9));
            Task<RedisResult> named = server.ExecuteAsync("CLIENT", ["SETNAME", name], HereOnly);
            Task<RedisResult> stamped = server.ExecuteAsync("EVAL", [Script.Stamp.Text, 1, key], HereOnly);
            Task<RedisResult> waited = server.ExecuteAsync("WAIT", [wanted, milliseconds], HereOnly);
            Task<RedisResult> asked = server.ExecuteAsync("CLIENT", ["GETNAME"], HereOnly);
            await Task.WhenAll(named, stamped, waited, asked);
            return (string?)await stamped == lineage && (string?)await asked == name ? (long)await waited : 0;
        }
        finally
        {
            turn.Release();
        }
    }
}
