using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// Keeps one document per device: get, swap, page through, notify. Everything else is in <see cref="Transitions"/> and
/// <see cref="DeviceRegistry"/>, once for all stores. Every method throws <see cref="RegistryUnavailableException"/> when the store
/// cannot be reached or is slower than its time-out, and <see cref="OperationCanceledException"/> when cancelled. Nothing may be cached.
/// </summary>
public interface IDeviceStore : IAsyncDisposable
{
    /// <summary>The record of a device, and the store's time.</summary>
    ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken);

    /// <summary>
    /// Replaces a device's record if the one in the store still has <see cref="DeviceSwap.Previous"/>'s version (or is still absent),
    /// in one atomic step that also announces the change. The indexes of open requests and paired devices follow.
    /// </summary>
    ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken);

    /// <summary>The device whose record may hold this request; null if none does. A hint: the record is the truth.</summary>
    ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken);

    /// <summary>
    /// Records with something approved and those of blocked devices, in a stable order that visits each exactly once while others write. A document that is damaged is
    /// left out, and logged with its device's id; one of a newer format is in <see cref="Page{T}.Newer"/>.
    /// </summary>
    /// <param name="cursor">Where the last page ended; null for the first.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    ValueTask<Page<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken);

    /// <summary>Open requests, newest first; those in a damaged document are left out, and its device's id is logged; those in one of a newer format are left out, and it is in <see cref="Page{T}.Newer"/>.</summary>
    /// <param name="cursor">Where the last page ended; null for the first.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    ValueTask<Page<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// The versions of many records, null where there is none; asked for all at once, so a caller with many asks in parts.
    /// A device whose record cannot be read is missing from the answer.
    /// </summary>
    ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken);

    /// <summary>
    /// Listens for changes that other gateways make, until cancelled. Never ends before that, and does not throw when the store is away:
    /// silence says so, and <see cref="Announcement.Resumed"/> that it is over.
    /// </summary>
    IAsyncEnumerable<Announcement> ListenAsync(CancellationToken cancellationToken);

    /// <summary>Asks the store for a sign of life.</summary>
    ValueTask PingAsync(CancellationToken cancellationToken);
}

/// <summary>A device's record, as one read found it.</summary>
public readonly record struct StoredDevice
{
    private readonly DeviceRecord? _record;

    /// <summary>A record, or none.</summary>
    public StoredDevice(DeviceRecord? record, DateTimeOffset now)
    {
        _record = record;
        Now = now;
    }

    /// <summary>A document that cannot be read.</summary>
    public StoredDevice(UnreadableDocumentException damage, DateTimeOffset now)
    {
        Damage = damage;
        Now = now;
    }

    /// <summary>The record; null if there is none, or if it has expired.</summary>
    /// <exception cref="UnreadableDocumentException">There is one, and it cannot be read.</exception>
    public DeviceRecord? Record => Damage is null ? _record : throw Damage;

    /// <summary>The store's time. Whatever has to do with expiry is decided by it.</summary>
    public DateTimeOffset Now { get; }

    /// <summary>Why the document cannot be read: it is damaged, or of a newer format; null if it can.</summary>
    public UnreadableDocumentException? Damage { get; }

    /// <summary>The record and the time.</summary>
    /// <exception cref="UnreadableDocumentException">There is a record, and it cannot be read.</exception>
    public void Deconstruct(out DeviceRecord? record, out DateTimeOffset now)
    {
        record = Record;
        now = Now;
    }
}

/// <summary>A compare-and-swap of one device's record.</summary>
/// <param name="Previous">The record that was read; null if there was none.</param>
/// <param name="Next">The record that takes its place.</param>
/// <param name="ExpiresAt">When the store forgets the new record, by its own time; null for never.</param>
/// <param name="Limits">How many requests may be open. They are applied to requests that are open in <paramref name="Next"/> only.</param>
public sealed record DeviceSwap(DeviceRecord? Previous, DeviceRecord Next, DateTimeOffset? ExpiresAt, PendingLimits Limits)
{
    /// <summary>
    /// What is to be replaced cannot be read, so <see cref="Previous"/> is null: the swap is a conflict unless a damaged document is there. One of a
    /// newer format is not damaged.
    /// </summary>
    public bool ReplacesDamage { get; init; }

    /// <summary>A rule pairs the device by this swap, which is made only within that rule's bounds; null if none does.</summary>
    public RulePairing? Pairing { get; init; }

    /// <summary>The device.</summary>
    public DeviceId Id => Next.Id;

    /// <summary>Requests that are open from now on, or whose expiry moved.</summary>
    public IEnumerable<PairingRequest> Opened => Next.Requests.Where(r => r.Status == PairingRequestStatus.Open && Previous?.FindRequest(r.Id) != r);

    /// <summary>Requests that were open and are no longer.</summary>
    public IEnumerable<PairingRequest> Closed => Previous is null ? [] : Previous.Requests.Where(r =>
        r.Status == PairingRequestStatus.Open && Next.FindRequest(r.Id) is not { Status: PairingRequestStatus.Open });

    /// <summary>
    /// Whether something is taken away: a grant goes or shrinks, or an operator's no is marked, or the device blocked. Saying it again counts too, be it by a swap
    /// that changes nothing: whoever repeats a removal whose acknowledgement was lost is not told that it is done before it is.
    /// </summary>
    public bool TakesAway => Previous == Next || (Next.Block is not null && Next.Block != Previous?.Block) || IsMarked(Previous?.Refusals, Next.Refusals)
        || Previous?.Grants.Keys.Any(role => !IsKeptOrWidened(role, Previous, Next)) == true;

    private static bool IsKeptOrWidened(string role, DeviceRecord before, DeviceRecord after) => after.Grants.TryGetValue(role, out Grant? grant)
        && (grant == before.Grants[role]
            || (after.ScopesOf(role).Count > before.ScopesOf(role).Count && !before.ScopesOf(role).Except(after.ScopesOf(role)).Any()));

    // Two marks may be of one millisecond, and the second may add nothing to the first. What clears marks leaves their time alone.
    private static bool IsMarked(RefusalMarks? before, RefusalMarks? after) => after is not null && !ReferenceEquals(after, before)
        && (after.At != before?.At || after == before || (after.WholeDevice && (!before.WholeDevice || !after.Cleared.Except(before.Cleared).Any()))
            || after.Roles.Except(before.Roles).Any() || before.Cleared.Except(after.Cleared).Any());
}

/// <summary>How a swap went.</summary>
public enum SwapResult
{
    /// <summary>The new record is in the store.</summary>
    Swapped,

    /// <summary>Somebody else was faster: read again, decide again.</summary>
    Conflict,

    /// <summary>Too many requests are open; nothing was written.</summary>
    TooManyRequests,

    /// <summary>The rule has paired as many devices within an hour as it may (<see cref="RulePairing.MaxPerHour"/>); nothing was written.</summary>
    TooManyOfRule,

    /// <summary>Rules have paired as many devices as they may (<see cref="RulePairing.MaxInAll"/>); nothing was written.</summary>
    TooManyByRules,
}

/// <summary>How many pairing requests may be open at a time.</summary>
/// <param name="InAll">In the whole registry.</param>
/// <param name="PerAddress">From one client address.</param>
/// <remarks>What counts together is in <see cref="PendingShare"/>.</remarks>
public readonly record struct PendingLimits(int InAll, int PerAddress)
{
    /// <summary>From one subnet.</summary>
    public int PerSubnet { get; init; } = int.MaxValue;

    /// <summary>Of devices that no operator has approved, from elsewhere.</summary>
    public int RemoteStrangers { get; init; } = int.MaxValue;

    /// <summary>Of devices that no operator has approved, from networks that rules name.</summary>
    public int NetworkStrangers { get; init; } = int.MaxValue;

    /// <summary>How many strangers' requests may be open from a locality.</summary>
    public int OfStrangers(LocalityKind locality) => locality switch
    {
        LocalityKind.Remote => RemoteStrangers,
        LocalityKind.Network => NetworkStrangers,
        _ => InAll,
    };

    /// <summary>No limits.</summary>
    public static PendingLimits None { get; } = new(int.MaxValue, int.MaxValue);
}

/// <summary>A part of a list.</summary>
/// <param name="Items">The items.</param>
/// <param name="Next">Where the next page begins; null if this was the last.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, string? Next)
{
    /// <summary>Devices that belong in this part and whose documents have a newer format; they count for the limit.</summary>
    public IReadOnlyList<NewerDocument> Newer { get; init; } = [];
}
