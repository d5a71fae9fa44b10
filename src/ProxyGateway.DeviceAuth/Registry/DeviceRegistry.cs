using System.Security.Cryptography;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// The registry as the gate and the operators use it: reads a record, lets the policy or a transition decide, swaps, and starts over
/// if somebody else was faster. Every retry runs the policy again.
/// </summary>
/// <param name="store">Where the documents are.</param>
/// <param name="audit">Where every change is entered; null: nowhere.</param>
public sealed class DeviceRegistry(IDeviceStore store, AuditLog? audit = null)
{
    // A device's record has few writers: whoever loses this often in a row is up against a fault or an attack.
    private const int MaxAttempts = 32;

    /// <summary>Raised after a record was changed through this registry, with the new record.</summary>
    public event Action<DeviceRecord>? Changed;

    /// <summary>Decides a claim, and writes what follows from the decision before anybody is told.</summary>
    /// <param name="claim">The verified claim.</param>
    /// <param name="origin">Where it comes from.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Gives up; what was being written may or may not have been.</param>
    /// <exception cref="RegistryUnavailableException">Nothing may be concluded: admit nobody.</exception>
    public async ValueTask<Admission> AdmitAsync(Claim claim, ClaimOrigin origin, PairingRules rules, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(claim);
        ArgumentNullException.ThrowIfNull(origin);
        ArgumentNullException.ThrowIfNull(rules);
        Locality locality = origin.Locality;
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            await WaitBeforeAsync(attempt, cancellationToken);
            (DeviceRecord? record, DateTimeOffset now) = await store.GetAsync(claim.Device, cancellationToken);
            PairingDecision decision = rules.Policy.Decide(record, claim, locality);
            if (decision is PairingDecision.LookUpPeerUser)
            {
                locality = locality with { Peer = origin.LookUpPeerUser() };
                decision = rules.Policy.Decide(record, claim, locality);
            }

            Admission admission;
            DeviceRecord? next = null;
            AuditEntry? deed = null;
            switch (decision)
            {
                case PairingDecision.Admit:
                    return new Admission.Admitted(record!, Rule: null);
                case PairingDecision.AutoApprove approve:
                    next = Transitions.AutoApprove(record, claim, approve.Rule, rules.Policy.Implications, now, rules.Lifetimes) with { Version = NewVersion() };
                    admission = new Admission.Admitted(next, approve.Rule);
                    deed = new AuditEntry
                    {
                        Kind = AuditKinds.DeviceAutoApproved,
                        DeviceId = claim.Device,
                        Role = claim.Role,
                        Scopes = claim.Scopes,
                        Reason = approve.Reason.ToWireName(),
                        Rule = approve.Rule,
                        Address = origin.Address,
                        Locality = rules.Policy.Classify(locality),
                        Client = claim.Client,
                    };
                    break;
                case PairingDecision.RequirePairing require:
                    Ask ask = Transitions.Ask(
                        record, claim, require.Reason, rules.Policy.Classify(locality), origin.Address, now, rules.Lifetimes);
                    if (ask.Outcome == AskOutcome.TooMany)
                        return new Admission.TooManyRequests();
                    next = ask.Outcome switch
                    {
                        AskOutcome.Opened => ask.Next with { Version = NewVersion() },
                        AskOutcome.Renewed => ask.Next,
                        _ => null,
                    };
                    admission = new Admission.Refused(require.Reason, ask.Request!, record, IsNew: ask.Outcome == AskOutcome.Opened);
                    break;
                default:
                    throw new InvalidOperationException("The policy asks for a user that was looked up.");
            }

            if (next is null)
                return admission;
            switch (await SwapAsync(record, next, rules, by: null, deed, cancellationToken))
            {
                case SwapResult.Swapped:
                    return admission;
                case SwapResult.TooManyRequests:
                    return new Admission.TooManyRequests();
            }
        }

        throw Contended();
    }

    /// <summary>An operator approves a request.</summary>
    /// <param name="id">The request.</param>
    /// <param name="scopes">The scopes to grant; null for all that it asks for.</param>
    /// <param name="by">Who approves.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RegistryUnavailableException">Whether the approval was written is not known; it may be repeated.</exception>
    public ValueTask<Decision?> ApproveAsync(RequestId id, ScopeSet? scopes, Operator by, PairingRules rules, CancellationToken cancellationToken) =>
        DecideAsync(id, (record, now) => Transitions.Approve(record, id, scopes, by, rules.Policy.Implications, now, rules.Lifetimes), by, rules, cancellationToken);

    /// <summary>An operator rejects a request.</summary>
    /// <param name="id">The request.</param>
    /// <param name="by">Who rejects.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RegistryUnavailableException">Whether the rejection was written is not known; it may be repeated.</exception>
    public ValueTask<Decision?> RejectAsync(RequestId id, Operator by, PairingRules rules, CancellationToken cancellationToken) =>
        DecideAsync(id, (record, now) => Transitions.Reject(record, id, by, now, rules.Lifetimes), by, rules, cancellationToken);

    /// <summary>An operator removes a device, also one whose record is damaged. False if it is not paired and has nothing open.</summary>
    /// <param name="id">The device.</param>
    /// <param name="by">Who removes it.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RegistryUnavailableException">
    /// Whether the removal was written is not known, or it may still be lost (<see cref="RegistryUnavailableException.ChangeWasMade"/>); it may be repeated.
    /// </exception>
    public async ValueTask<bool> RemoveAsync(DeviceId id, Operator by, PairingRules rules, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(rules);
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            await WaitBeforeAsync(attempt, cancellationToken);
            StoredDevice stored = await store.GetAsync(id, cancellationToken);
            DeviceRecord? record = stored.Damage is null ? stored.Record : null;
            if (stored.Damage is null && record is null)
                return false;
            bool isThere = record is null || record.IsPaired || record.Requests.Any(r => r.IsOpen(stored.Now));
            DeviceRecord next = record switch
            {
                null => Transitions.RemoveDamaged(id, by, stored.Now, rules.Lifetimes) with { Version = NewVersion() },
                _ when isThere => Transitions.Remove(record, by, stored.Now, rules.Lifetimes) with { Version = NewVersion() },
                _ => record,
            };
            AuditEntry? deed = isThere ? new AuditEntry { Kind = AuditKinds.DeviceRemoved, DeviceId = id } : null;
            if (await SwapAsync(record, next, rules, by, deed, cancellationToken, stored.Damage is not null) == SwapResult.Swapped)
                return isThere;
        }

        throw Contended();
    }

    /// <summary>An operator sets what a device may do in a role; null takes the role away. Null if the device is not paired.</summary>
    /// <param name="id">The device.</param>
    /// <param name="role">The role.</param>
    /// <param name="scopes">Its scopes from now on.</param>
    /// <param name="by">Who sets them.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RegistryUnavailableException">Whether the change was written is not known; it may be repeated.</exception>
    public async ValueTask<Decision?> SetGrantAsync(
        DeviceId id, string role, ScopeSet? scopes, Operator by, PairingRules rules, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(rules);
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            await WaitBeforeAsync(attempt, cancellationToken);
            (DeviceRecord? record, DateTimeOffset now) = await store.GetAsync(id, cancellationToken);
            if (record is null)
                return null;
            if (!record.IsPaired)
            {
                if (await SwapAsync(record, record, rules, by, deed: null, cancellationToken) == SwapResult.Swapped)
                    return null;
                continue;
            }

            Decision decision = Transitions.SetGrant(record, role, scopes, by, rules.Policy.Implications, now, rules.Lifetimes);
            if (decision.Outcome == DecisionOutcome.AboveCeiling)
                audit?.Enter(AuditTrail.Refused(by, id, request: null, role, scopes!));
            if (decision.Outcome != DecisionOutcome.Done)
                return decision;
            decision = decision with { Record = decision.Record with { Version = NewVersion() } };
            var deed = new AuditEntry
            {
                Kind = scopes is null ? AuditKinds.GrantRemoved : AuditKinds.GrantChanged,
                DeviceId = id,
                Role = role,
                Scopes = scopes,
            };
            if (await SwapAsync(record, decision.Record, rules, by, deed, cancellationToken) == SwapResult.Swapped)
                return decision;
        }

        throw Contended();
    }

    /// <summary>The record of a device, or null.</summary>
    public async ValueTask<DeviceRecord?> FindAsync(DeviceId id, CancellationToken cancellationToken) =>
        (await store.GetAsync(id, cancellationToken)).Record;

    /// <summary>A request as it stands now, resolved ones included while they are readable; or null.</summary>
    public async ValueTask<PairingRequest?> FindRequestAsync(RequestId id, CancellationToken cancellationToken)
    {
        if (await store.FindRequestAsync(id, cancellationToken) is not { } device)
            return null;
        (DeviceRecord? record, DateTimeOffset now) = await store.GetAsync(device, cancellationToken);
        return record?.FindRequest(id)?.AsOf(now);
    }

    /// <inheritdoc cref="IDeviceStore.ListPairedAsync"/>
    public ValueTask<Page<DeviceRecord>> ListPairedAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        store.ListPairedAsync(cursor, limit, cancellationToken);

    /// <inheritdoc cref="IDeviceStore.ListOpenRequestsAsync"/>
    public ValueTask<Page<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        store.ListOpenRequestsAsync(cursor, limit, cancellationToken);

    /// <inheritdoc cref="IDeviceStore.PingAsync"/>
    public ValueTask PingAsync(CancellationToken cancellationToken) => store.PingAsync(cancellationToken);

    private async ValueTask<Decision?> DecideAsync(
        RequestId id, Func<DeviceRecord, DateTimeOffset, Decision> decide, Operator by, PairingRules rules, CancellationToken cancellationToken)
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            await WaitBeforeAsync(attempt, cancellationToken);
            if (await store.FindRequestAsync(id, cancellationToken) is not { } device)
                return null;
            (DeviceRecord? record, DateTimeOffset now) = await store.GetAsync(device, cancellationToken);
            if (record is null)
                return null;
            Decision decision = decide(record, now);
            if (decision is { Outcome: DecisionOutcome.AboveCeiling, Request: { } asked })
                audit?.Enter(AuditTrail.Refused(by, device, id, asked.Role, asked.Scopes));
            if (decision.Outcome is not (DecisionOutcome.Done or DecisionOutcome.AlreadyDone))
                return decision;
            if (decision.Outcome == DecisionOutcome.Done)
                decision = decision with { Record = decision.Record with { Version = NewVersion() } };
            if (await SwapAsync(record, decision.Record, rules, by, deed: null, cancellationToken) == SwapResult.Swapped)
                return decision;
        }

        throw Contended();
    }

    private async ValueTask<SwapResult> SwapAsync(
        DeviceRecord? previous,
        DeviceRecord next,
        PairingRules rules,
        Operator? by,
        AuditEntry? deed,
        CancellationToken cancellationToken,
        bool replacesDamage = false)
    {
        var swap = new DeviceSwap(previous, next, Transitions.ExpiresAt(next, rules.Lifetimes), rules.Limits) { ReplacesDamage = replacesDamage };
        SwapResult? result = null;
        bool isUncertain = true;
        try
        {
            result = await store.SwapAsync(swap, cancellationToken);
        }
        catch (RegistryUnavailableException e) when (e.ChangeWasMade)
        {
            isUncertain = false;
            Tell(previous, next);
            throw;
        }
        finally
        {
            // Without an answer it may have been written, and whoever repeats it would find it done.
            if (result is null or SwapResult.Swapped)
                EnterChange(swap, by, deed, uncertain: result is null && isUncertain);
        }

        if (result == SwapResult.Swapped)
            Tell(previous, next);
        return result.Value;
    }

    private void EnterChange(DeviceSwap swap, Operator? by, AuditEntry? deed, bool uncertain)
    {
        if (audit is null)
            return;
        foreach (AuditEntry entry in AuditTrail.Of(swap.Previous, swap.Next, by, deed))
            audit.Enter(entry with { Uncertain = uncertain });
    }

    private void Tell(DeviceRecord? previous, DeviceRecord next)
    {
        if (previous?.Version != next.Version)
            Changed?.Invoke(next);
    }

    // At first at once; then at random in a span that doubles, up to half a second, or who is slower would lose every time.
    private static Task WaitBeforeAsync(int attempt, CancellationToken cancellationToken) =>
        attempt < 2 ? Task.CompletedTask : Task.Delay(RandomNumberGenerator.GetInt32(1 << Math.Min(attempt, 9)), cancellationToken);

    private static string NewVersion() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));

    private static RegistryUnavailableException Contended() => new("A device's record changes faster than it can be read.");
}

/// <summary>What the registry needs to know of the configuration in force.</summary>
/// <param name="Policy">The pairing policy.</param>
/// <param name="Lifetimes">How long things stay on record.</param>
/// <param name="Limits">How many requests may be open.</param>
public sealed record PairingRules(PairingPolicy Policy, Lifetimes Lifetimes, PendingLimits Limits);

/// <summary>Where a claim comes from.</summary>
/// <param name="Locality">For the policy.</param>
/// <param name="Address">For operators: the client's address; null if it cannot be told.</param>
/// <param name="LookUpPeerUser">Finds the operating-system user of a loopback peer; called only when a rule hangs on it.</param>
public sealed record ClaimOrigin(Locality Locality, string? Address, Func<PeerUser> LookUpPeerUser);

/// <summary>What became of a claim.</summary>
public abstract record Admission
{
    private Admission()
    {
    }

    /// <summary>Forward the connection.</summary>
    /// <param name="Record">The record that covers the claim.</param>
    /// <param name="Rule">The rule that approved it just now; null if it was covered already.</param>
    public sealed record Admitted(DeviceRecord Record, string? Rule) : Admission;

    /// <summary>An operator has to approve, or has rejected.</summary>
    /// <param name="Reason">What is not covered.</param>
    /// <param name="Request">The request that stands for the ask.</param>
    /// <param name="Record">What was on record when it was decided; null if nothing.</param>
    /// <param name="IsNew">Whether the request was opened by this very claim.</param>
    public sealed record Refused(PairingReason Reason, PairingRequest Request, DeviceRecord? Record, bool IsNew) : Admission;

    /// <summary>No more requests can be opened at this time.</summary>
    public sealed record TooManyRequests : Admission;
}
