using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// Asks of replicas, with <c>WAIT</c>, whether they have what was written to their primary. <c>WAIT</c> keeps its whole connection waiting, and
/// the one that handshakes use is shared by all of them; so this is another, and on it one asks at a time. What was written on the shared
/// connection is confirmed here all the same: replication is one sequence, so whoever has the later <see cref="Script.Stamp"/> has the earlier
/// swap. That holds only if both are of one sequence, which the replication id tells: a primary that takes over begins another.
/// </summary>
internal sealed class Replicas(RedisConnection redis, Keys keys, int wanted) : IAsyncDisposable
{
    // In a cluster too all must go to the one node that made the swap: a redirected stamp would leave WAIT with nothing to wait for.
    private const CommandFlags HereOnly = CommandFlags.NoRedirect | RedisConnection.Primary;

    private readonly ConcurrentDictionary<EndPoint, SemaphoreSlim> _turns = new();

    /// <summary>Waits until as many replicas as wanted have what was swapped in.</summary>
    /// <param name="id">The device whose document was swapped.</param>
    /// <param name="lineage">The replication id that the swap answered.</param>
    /// <param name="deadline">Until when to wait.</param>
    /// <exception cref="RegistryUnavailableException">They have not confirmed it. <see cref="RegistryUnavailableException.ChangeWasMade"/> is true.</exception>
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
            // A connection that was lost in between and made again has written nothing, and WAIT would find that everybody has that: hence the name.
            string name = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
            long milliseconds = Math.Max(1, (long)(deadline.Remaining.TotalMilliseconds * 0.9)); // 0 would be for ever; the rest is for the answer
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
