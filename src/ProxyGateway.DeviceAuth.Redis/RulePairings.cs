using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// The indexes of devices that rules have paired: those of one rule within an hour, which expire, and all that rules alone have approved.
/// They are written before the document. A wrong member of the second would shut other devices out: it is removed when the bound is
/// reached.
/// </summary>
internal sealed class RulePairings(RedisConnection redis, Keys keys, Documents documents)
{
    private const int CheckedAtOnce = 256;
    private static readonly TimeSpan CheckEvery = TimeSpan.FromSeconds(1);

    private long _checkedAt = -1;
    private RedisValue _checkedTo = RedisValue.EmptyString;

    /// <summary>The index of all devices that rules alone have approved. It knows no bound; <see cref="EnterAsync"/> does.</summary>
    public DeviceSet Set { get; } = new(redis, keys.ByRules);

    /// <summary>Enters a device that a rule is about to pair. Null if there is room, or if no rule pairs by this swap.</summary>
    public async Task<SwapResult?> EnterAsync(DeviceSwap swap, Deadline deadline, CancellationToken cancellationToken)
    {
        if (swap.Pairing is not { } pairing)
            return null;
        RedisKey hour = keys.Rule(pairing.Rule);
        RedisValue id = swap.Id.ToString();
        Task<RedisResult> ofRule = redis.RunAsync(
            Script.EnterPairing, hour, [id, pairing.MaxPerHour, (long)RulePairing.Window.TotalMilliseconds], deadline, cancellationToken);
        Task<RedisResult> inAll = redis.RunAsync(Script.EnterBounded, keys.ByRules, [id, pairing.MaxInAll], deadline, cancellationToken);
        await Task.WhenAll(ofRule, inAll);
        if ((int)await ofRule == 0)
            return SwapResult.TooManyOfRule; // the caller withdraws it from the other
        if ((int)await inAll == 1)
            return null;

        // A device that is not paired must not use up the hour of devices that can be paired once there is room again.
        await LeaveHourAsync(pairing.Rule, swap.Id, deadline, cancellationToken);
        await CheckSomeAsync(deadline, cancellationToken);
        return SwapResult.TooManyByRules;
    }

    /// <summary>Removes the entries of a failed swap.</summary>
    /// <param name="swap">The swap.</param>
    /// <param name="isConflict">Another connection of the device may have been faster, so it stays counted within the hour.</param>
    /// <param name="deadline">The deadline.</param>
    public Task WithdrawAsync(DeviceSwap swap, bool isConflict, Deadline deadline) => swap.Pairing is not { } pairing
        ? Task.CompletedTask
        : Task.WhenAll(
            RemoveAsync(swap.Id, deadline, CancellationToken.None),
            isConflict ? Task.CompletedTask : LeaveHourAsync(pairing.Rule, swap.Id, deadline, CancellationToken.None));

    /// <summary>After a swap: updates the index.</summary>
    public Task SettleAsync(DeviceSwap swap, Deadline deadline)
    {
        if (swap.Next.IsByRulesAlone)
            return Set.AddAsync([swap.Id], deadline, CancellationToken.None); // also if it was counted before: this repairs the index
        return swap.Previous is { IsByRulesAlone: true } || swap.Pairing is not null ? RemoveAsync(swap.Id, deadline, CancellationToken.None) : Task.CompletedTask;
    }

    // In this order: a device that a rule pairs meanwhile is found by the reading, or adds itself after it.
    private async Task RemoveAsync(DeviceId id, Deadline deadline, CancellationToken cancellationToken)
    {
        await Set.ExpelAsync(id.ToString(), deadline, cancellationToken);
        if (await documents.GetAsync([id], deadline, cancellationToken) is [{ Record: { IsByRulesAlone: true } } or { Newer: not null }])
            await Set.AddAsync([id], deadline, cancellationToken);
    }

    // A refusal for lack of room checks a few members, at most once a second.
    private async Task CheckSomeAsync(Deadline deadline, CancellationToken cancellationToken)
    {
        long now = Environment.TickCount64;
        long last = Interlocked.Read(ref _checkedAt);
        if ((last >= 0 && now - last < CheckEvery.TotalMilliseconds) || Interlocked.CompareExchange(ref _checkedAt, now, last) != last)
            return;
        RedisValue[] members = await Set.ListAsync(_checkedTo, CheckedAtOnce, deadline, cancellationToken);
        _checkedTo = members.Length < CheckedAtOnce ? RedisValue.EmptyString : members[^1];
        var ids = new List<DeviceId>();
        foreach (RedisValue member in members)
        {
            if (DeviceId.TryParse(member, out DeviceId id))
                ids.Add(id);
            else
                await Set.ExpelAsync(member, deadline, cancellationToken);
        }

        FoundDocument[] found = await documents.GetAsync(ids, deadline, cancellationToken);
        foreach ((DeviceId id, FoundDocument document) in ids.Zip(found))
        {
            if (document is { Damage: null } and not { Record: { IsByRulesAlone: true } })
                await RemoveAsync(id, deadline, cancellationToken);
        }
    }

    private Task<bool> LeaveHourAsync(string rule, DeviceId id, Deadline deadline, CancellationToken cancellationToken) =>
        redis.RunAsync(database => database.SortedSetRemoveAsync(keys.Rule(rule), id.ToString(), RedisConnection.Primary), deadline, cancellationToken);
}
