using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A compare-and-swap of one device's record.</summary>
/// <param name="Previous">The record that was read; null if there was none.</param>
/// <param name="Next">The record that replaces it.</param>
/// <param name="ExpiresAt">When the store forgets the new record, by its own time; null for never.</param>
/// <param name="Limits">The bounds of open requests. They apply only to requests that are open in <paramref name="Next"/>.</param>
public sealed record DeviceSwap(DeviceRecord? Previous, DeviceRecord Next, DateTimeOffset? ExpiresAt, PendingLimits Limits)
{
    /// <summary>
    /// The document to replace cannot be read, so <see cref="Previous"/> is null: the swap is a conflict unless a damaged document is
    /// there. A document of a newer format is not damaged.
    /// </summary>
    public bool ReplacesDamage { get; init; }

    /// <summary>A rule pairs the device by this swap, which is made only within that rule's bounds; null if none does.</summary>
    public RulePairing? Pairing { get; init; }

    /// <summary>
    /// A name that is marked as used by this swap, in the same atomic step: the swap is not made if it is marked already. Null if there is none.
    /// </summary>
    public UseOnce? Once { get; init; }

    /// <summary>The device.</summary>
    public DeviceId Id => Next.Id;

    /// <summary>Requests that are open from now on, or whose expiry moved.</summary>
    public IEnumerable<PairingRequest> Opened =>
        Next.Requests.Where(r => r.Status == PairingRequestStatus.Open && Previous?.FindRequest(r.Id) != r);

    /// <summary>Requests that were open and are no longer.</summary>
    public IEnumerable<PairingRequest> Closed => Previous is null ? [] : Previous.Requests.Where(r =>
        r.Status == PairingRequestStatus.Open && Next.FindRequest(r.Id) is not { Status: PairingRequestStatus.Open });

    /// <summary>
    /// Whether something is taken away: a grant is removed or narrowed, an operator's refusal is marked, or the device blocked. A
    /// repetition counts too, even by a swap that changes nothing: the acknowledgement of a repeated removal may otherwise come before the
    /// removal is safe.
    /// </summary>
    public bool IsRestriction => Previous == Next || (Next.Block is not null && Next.Block != Previous?.Block) || IsMarked(Previous?.Refusals, Next.Refusals)
        || Previous?.Grants.Keys.Any(key => !IsKeptOrWidened(key, Previous, Next)) == true;

    private static bool IsKeptOrWidened(GrantKey key, DeviceRecord before, DeviceRecord after) => after.Grants.TryGetValue(key, out Grant? grant)
        && (grant == before.Grants[key]
            || (after.ScopesOf(key).Count > before.ScopesOf(key).Count && !before.ScopesOf(key).Except(after.ScopesOf(key)).Any()));

    // Two marks may have the same millisecond, and the second may add nothing to the first. Clearing marks does not change their time.
    private static bool IsMarked(RefusalMarks? before, RefusalMarks? after) => after is not null && !ReferenceEquals(after, before)
        && (after.At != before?.At || after == before || (after.WholeDevice && (!before.WholeDevice || !after.Cleared.Except(before.Cleared).Any()))
            || after.Roles.Except(before.Roles).Any() || before.Cleared.Except(after.Cleared).Any());
}
