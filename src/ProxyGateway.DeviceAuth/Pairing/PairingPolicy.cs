using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>
/// Decides whether a stored grant covers a claim, a rule approves it, or an operator must. Pure: no I/O, no clock, no logging; the same
/// arguments always give the same answer.
/// </summary>
public sealed record PairingPolicy
{
    /// <summary>
    /// The policy without configuration: on loopback, new devices and scope upgrades are approved silently, role upgrades never.
    /// </summary>
    public static PairingPolicy Default { get; } = new();

    /// <summary>The rules; empty: an operator decides everything. They only ever widen, so their order cannot matter.</summary>
    public ImmutableArray<AutoApproveRule> AutoApprove { get; init; } =
    [
        new() { Name = "loopback", FromLoopback = true, Reasons = [PairingReason.NotPaired, PairingReason.ScopeUpgrade] },
    ];

    /// <summary>Which scopes include which others.</summary>
    public ScopeImplications Implications { get; init; } = ScopeImplications.Default;

    /// <summary>How legacy devices are treated.</summary>
    public LegacyDevices LegacyDevices { get; init; }

    /// <summary>Which clients are admitted without a device; null: none.</summary>
    public DevicelessRule? Deviceless { get; init; }

    /// <summary>
    /// How many devices rules alone may have paired in the whole registry, 1 to 1,000,000; past it an operator decides about new ones.
    /// </summary>
    public int MaxDevicesByRules { get; init; } = 100_000;

    /// <summary>Decides one claim.</summary>
    /// <param name="record">The device's record at this time; null if there is none.</param>
    /// <param name="claim">The verified claim.</param>
    /// <param name="locality">The connection's origin.</param>
    internal PairingDecision Decide(DeviceRecord? record, DeviceClaim claim, Locality locality)
    {
        ArgumentNullException.ThrowIfNull(claim);
        ArgumentNullException.ThrowIfNull(locality);

        if (record?.Block is not null)
            return PairingDecision.Refuse.Instance;
        if (Uncovered(record, claim) is not { } reason)
            return PairingDecision.Admit.Instance;
        if (record?.Refusals?.Covers(claim.Key) == true) // no rule overrides an operator's refusal
            return new PairingDecision.RequirePairing(reason);
        if (MustPairAgain(record, claim.Key))
            return new PairingDecision.RequirePairing(reason);
        if (!RuleBounds.Allow(record, claim)) // a device must not be able to enlarge its own record without bound
            return new PairingDecision.RequirePairing(reason);

        bool userDecides = false;
        foreach (AutoApproveRule rule in AutoApprove)
        {
            if (!rule.MatchesButForUsers(reason, claim, locality, Implications))
                continue;
            if (rule.Users is null || (locality.Peer.State == PeerUserState.Known && rule.Users.Value.Contains(locality.Peer.UserId)))
                return new PairingDecision.AutoApprove(rule.Name, reason);
            userDecides |= locality.Peer.State == PeerUserState.NotLookedUp;
        }

        return userDecides ? PairingDecision.LookUpPeerUser.Instance : new PairingDecision.RequirePairing(reason);
    }

    /// <summary>Whether the record admits the claim: the device is not blocked, and its grant covers the claim.</summary>
    internal bool Admits(DeviceRecord? record, DeviceClaim claim) => record?.Block is null && Uncovered(record, claim) is null;

    /// <summary>Why the record does not cover the claim; null if it does. The first check that fails is the reason.</summary>
    internal PairingReason? Uncovered(DeviceRecord? record, DeviceClaim claim)
    {
        ArgumentNullException.ThrowIfNull(claim);
        if (record is null || !record.IsPairedFor(claim.Audience) || MustPairAgain(record, claim.Key))
            return PairingReason.NotPaired;
        if (!record.Grants.ContainsKey(claim.Key))
            return PairingReason.RoleUpgrade;
        return Implications.Covers(claim.Role, record.ScopesOf(claim.Key), claim.Scopes) ? null : PairingReason.ScopeUpgrade;
    }

    /// <summary>The locality for operators.</summary>
    internal LocalityKind Classify(Locality locality)
    {
        ArgumentNullException.ThrowIfNull(locality);
        if (locality.IsLoopback)
            return LocalityKind.Loopback;
        return locality.Address is { } address && AutoApprove.Any(r => AutoApproveRule.Contains(r.FromNetworks, address))
            ? LocalityKind.Network
            : LocalityKind.Remote;
    }

    /// <summary>The policy without rules that are at their bound.</summary>
    internal PairingPolicy Without(ImmutableArray<string> rules) =>
        rules.IsEmpty ? this : this with { AutoApprove = AutoApprove.RemoveAll(r => rules.Contains(r.Name)) };

    private bool MustPairAgain(DeviceRecord? record, GrantKey key)
    {
        if (LegacyDevices != LegacyDevices.RePair || record is null)
            return false;
        if (record.Grants.TryGetValue(key, out Grant? grant))
            return grant.Scopes is null;

        // A device that an operator must approve again must not avoid that by asking for another role. In another audience it is a new device.
        return (record.Legacy && key.Audience.IsDefault) || record.Grants.Any(g => g.Key.Audience == key.Audience && g.Value.Scopes is null);
    }
}
