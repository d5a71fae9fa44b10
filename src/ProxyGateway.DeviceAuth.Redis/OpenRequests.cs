using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// The indexes of open requests: of all, and by the shares that they count in (<see cref="PendingShare"/>), sorted by expiry; and the
/// device of each request.
/// </summary>
internal sealed class OpenRequests(RedisConnection redis, Keys keys, Documents documents)
{
    /// <summary>
    /// Enters the requests that a swap opens or renews. False if there is no room; then, as after a failure, they must be withdrawn.
    /// </summary>
    public async Task<bool> EnterAsync(DeviceSwap swap, Deadline deadline, CancellationToken cancellationToken)
    {
        foreach (PairingRequest request in swap.Opened)
        {
            bool isNew = IsNew(swap, request);
            bool[] entered = await Task.WhenAll(
                Sets(request, swap.Limits).Select(set => EnterAsync(set.Key, request, isNew ? set.Room : null, deadline, cancellationToken))
                    .Prepend(RememberDeviceAsync(request, deadline, cancellationToken)));
            if (entered.Contains(false))
                return false;
        }

        return true;
    }

    /// <summary>Enters the requests of a document that is copied, without a bound.</summary>
    public async Task RestoreAsync(StoredDocument document, Deadline deadline, CancellationToken cancellationToken)
    {
        await Task.WhenAll(document.Record.Requests.Select(request => RememberDeviceAsync(request, deadline, cancellationToken)));
        await EnterAsync(new DeviceSwap(Previous: null, document.Record, document.ExpiresAt, PendingLimits.None), deadline, cancellationToken);
    }

    /// <summary>After a failed swap: removes its entries. A passed deadline still leaves time to send that.</summary>
    public async Task WithdrawAsync(DeviceSwap swap, Deadline deadline)
    {
        PairingRequest[] opened = [.. swap.Opened];
        await Task.WhenAll(opened.Where(r => IsNew(swap, r)).Select(r => ForgetAsync(r, deadline)));

        // A faster change may have resolved the renewed requests; then they are in no set.
        PairingRequest[] renewed = [.. opened.Where(r => !IsNew(swap, r))];
        if (renewed.Length == 0)
            return;
        DeviceRecord? record = (await documents.GetAsync(swap.Id, deadline, CancellationToken.None)).Record;
        foreach (PairingRequest request in renewed)
        {
            if (record?.FindRequest(request.Id) is not { Status: PairingRequestStatus.Open })
                await LeaveAsync(request, deadline, CancellationToken.None);
        }
    }

    /// <summary>Removes a request that is no longer open from the sets. Its device stays known while the request is readable.</summary>
    public Task LeaveAsync(PairingRequest request, Deadline deadline, CancellationToken cancellationToken) =>
        Task.WhenAll(Sets(request, PendingLimits.None).Select(set =>
            RemoveAsync(set.Key, new PendingMember(request.Id, request.DeviceId).ToString(), deadline, cancellationToken)));

    /// <summary>
    /// Removes from the set of all requests one that no document has. In the sets by share, which only count, it expires.
    /// </summary>
    public Task LeaveAsync(PendingMember member, Deadline deadline, CancellationToken cancellationToken) =>
        RemoveAsync(keys.Pending, member.ToString(), deadline, cancellationToken);

    /// <summary>The device that made this request, or null.</summary>
    public async Task<DeviceId?> FindAsync(RequestId id, Deadline deadline, CancellationToken cancellationToken)
    {
        string? device = await redis.RunAsync(
            database => database.StringGetAsync(keys.Request(id), RedisConnection.Primary), deadline, cancellationToken);
        if (DeviceId.TryParse(device, out DeviceId parsed))
            return parsed;

        // An open request that lost this index is still in the other; its device's next connection writes both again.
        OpenMembers open = await ListAsync(deadline, cancellationToken);
        return open.Members.Where(m => m.Request == id).Select(m => (DeviceId?)m.Device).FirstOrDefault();
    }

    /// <summary>
    /// Everything in the set that has not expired, newest first, and the time. At most <see cref="PendingLimits.InAll"/>.
    /// </summary>
    public async Task<OpenMembers> ListAsync(Deadline deadline, CancellationToken cancellationToken)
    {
        RedisResult result = await redis.RunAsync(Script.List, keys.Pending, [], deadline, cancellationToken);
        var members = new List<PendingMember>();
        var foreign = new List<RedisValue>();
        foreach (RedisValue text in (RedisValue[])result[0]!)
        {
            if (PendingMember.Parse(text.ToString()) is { } member)
                members.Add(member);
            else
                foreign.Add(text);
        }

        members.Sort(static (a, b) => string.CompareOrdinal(b.Request.ToString(), a.Request.ToString())); // an id begins with its time
        return new OpenMembers(members, foreign, ServerTime.Read(result[1]));
    }

    /// <summary>Removes an entry that is no request from the set.</summary>
    public Task ExpelAsync(RedisValue member, Deadline deadline, CancellationToken cancellationToken) =>
        RemoveAsync(keys.Pending, member, deadline, cancellationToken);

    // The sets that a request is in, and the bound of each.
    private IEnumerable<(RedisKey Key, int Room)> Sets(PairingRequest request, PendingLimits limits)
    {
        var share = PendingShare.Of(request);
        yield return (keys.Pending, limits.InAll);
        yield return (keys.Address(share), limits.PerAddress);
        if (share.Subnet is { } subnet)
            yield return (keys.Subnet(subnet), limits.PerSubnet);
        if (share.Strangers is { } locality)
            yield return (keys.Strangers(locality), limits.OfStrangers(locality));
    }

    private static bool IsNew(DeviceSwap swap, PairingRequest request) => swap.Previous?.FindRequest(request.Id) is null;

    private Task ForgetAsync(PairingRequest request, Deadline deadline) => Task.WhenAll(
        LeaveAsync(request, deadline, CancellationToken.None),
        redis.RunAsync(database => database.KeyDeleteAsync(keys.Request(request.Id), RedisConnection.Primary), deadline, CancellationToken.None));

    private async Task<bool> EnterAsync(
        RedisKey set, PairingRequest request, int? room, Deadline deadline, CancellationToken cancellationToken)
    {
        RedisResult result = await redis.RunAsync(
            Script.Enter,
            set,
            [
                new PendingMember(request.Id, request.DeviceId).ToString(),
                request.ExpiresAt.ToUnixTimeMilliseconds(),
                room is { } limit ? limit : RedisValue.EmptyString,
            ],
            deadline,
            cancellationToken);
        return (int)result == 1;
    }

    // A resolved request stays readable for as long as it could have waited at first, which is at most the time added here.
    private Task<bool> RememberDeviceAsync(PairingRequest request, Deadline deadline, CancellationToken cancellationToken)
    {
        DateTimeOffset readableUntil = request.ExpiresAt + (request.ExpiresAt - request.CreatedAt);
        return redis.RunAsync(
            database => database.StringSetAsync(
                keys.Request(request.Id), request.DeviceId.ToString(), new Expiration(readableUntil.UtcDateTime), flags: RedisConnection.Primary),
            deadline,
            cancellationToken);
    }

    private Task<bool> RemoveAsync(RedisKey set, RedisValue member, Deadline deadline, CancellationToken cancellationToken) =>
        redis.RunAsync(database => database.SortedSetRemoveAsync(set, member, RedisConnection.Primary), deadline, cancellationToken);
}

/// <summary>The contents of the index of open requests.</summary>
/// <param name="Members">The requests, newest first.</param>
/// <param name="Foreign">Entries that are no requests, from other writers.</param>
/// <param name="Now">The time at the server.</param>
internal sealed record OpenMembers(List<PendingMember> Members, List<RedisValue> Foreign, DateTimeOffset Now);
