using System.Collections.Immutable;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// The registry as the gate and the operators use it: reads a record, lets the policy or a transition decide, swaps, and starts over
/// if somebody else was faster. Every retry runs the policy again.
/// </summary>
/// <param name="store">Where the documents are.</param>
/// <param name="audit">Where every change is entered; null: nowhere.</param>
/// <param name="logger">Hears of a registry that has gone back; null: nobody does.</param>
public sealed partial class DeviceRegistry(IDeviceStore store, AuditLog? audit = null, ILogger<DeviceRegistry>? logger = null)
{
    // A device's record has few writers: whoever loses this often in a row is up against a fault or an attack.
    private const int MaxAttempts = 32;

    private readonly RestrictionMemory _memory = new();
    private readonly NewerDocuments _newer = new();
    private readonly ILogger _logger = logger ?? NullLogger<DeviceRegistry>.Instance;

    /// <summary>Raised after a record was changed through this registry, with the new record and the store's time.</summary>
    public event Action<DeviceRecord, DateTimeOffset>? Changed;

    /// <summary>Raised when a rule would have paired a device and may pair no more.</summary>
    public event Action<ReachedBound>? BoundReached;

    /// <summary>Decides a claim, and writes what follows from the decision before anybody is told.</summary>
    /// <param name="claim">The verified claim.</param>
    /// <param name="origin">Where it comes from.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Gives up; what was being written may or may not have been.</param>
    /// <exception cref="RegistryUnavailableException">Nothing may be concluded: admit nobody.</exception>
    public ValueTask<Admission> AdmitAsync(Claim claim, ClaimOrigin origin, PairingRules rules, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return AdmitAsync(claim, origin, () => new AdmissionTerms(rules), cancellationToken);
    }

    /// <inheritdoc cref="AdmitAsync(Claim, ClaimOrigin, PairingRules, CancellationToken)"/>
    /// <param name="claim">The verified claim.</param>
    /// <param name="origin">Where it comes from.</param>
    /// <param name="terms">The terms in force: asked for at each decision, once the record is read, so that the newest count also where it is decided again.</param>
    /// <param name="cancellationToken">Gives up; what was being written may or may not have been.</param>
    public async ValueTask<Admission> AdmitAsync(Claim claim, ClaimOrigin origin, Func<AdmissionTerms> terms, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(claim);
        ArgumentNullException.ThrowIfNull(origin);
        ArgumentNullException.ThrowIfNull(terms);
        Locality locality = origin.Locality;
        ImmutableArray<string> exhausted = []; // rules that turn out to have paired as many devices as they may
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            await WaitBeforeAsync(attempt, cancellationToken);
            long asOf = _memory.Restrictions;
            (DeviceRecord? stored, DateTimeOffset now) = await GetAsync(claim.Device, cancellationToken);
            (PairingRules rules, bool mayAsk) = terms();
            Judgement judgement = Judge(claim.Device, stored, now, rules.Lifetimes, asOf);
            if (judgement.IsOvertaken)
                continue;
            DeviceRecord? record = judgement.Record?.AsOf(now);
            PairingPolicy policy = rules.Policy.Without(exhausted);
            PairingDecision decision = policy.Decide(record, claim, locality);
            if (!mayAsk && decision is not (PairingDecision.Admit or PairingDecision.Refuse))
                return new Admission.Unauthorized();
            if (decision is PairingDecision.LookUpPeerUser)
            {
                locality = locality with { Peer = origin.LookUpPeerUser() };
                decision = policy.Decide(record, claim, locality);
            }

            Admission admission;
            DeviceRecord? next = null;
            AuditEntry? deed = null;
            RulePairing? pairing = null;
            switch (decision)
            {
                case PairingDecision.Admit:
                    return new Admission.Admitted(record!, Rule: null, now);
                case PairingDecision.Refuse:
                    return new Admission.Blocked();
                case PairingDecision.AutoApprove approve:
                    next = Stamp(judgement, Transitions.AutoApprove(record, claim, approve.Rule, rules.Policy.Implications, now, rules.Lifetimes), now);
                    admission = new Admission.Admitted(next, approve.Rule, now);
                    pairing = PairingBy(approve, policy);
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
                        AskOutcome.Opened => Stamp(judgement, ask.Next, now),
                        AskOutcome.Renewed => ask.Next,
                        _ => null,
                    };
                    admission = new Admission.Refused(require.Reason, ask.Request!, record, IsNew: ask.Outcome == AskOutcome.Opened);
                    break;
                default:
                    throw new InvalidOperationException("The policy asks for a user that was looked up.");
            }

            if (judgement.IsBehind)
                next = Stamp(judgement, next ?? record!, now); // what was taken is taken again
            if (next is null)
                return admission;
            switch (await SwapAsync(stored, next, now, rules, by: null, deed, cancellationToken, pairing: pairing))
            {
                case SwapResult.Swapped:
                    if (pairing is not null)
                        LogPaired(pairing.Rule, claim.Device, claim.Role, LogText.Of(claim.Scopes), origin.Address);
                    return admission;
                case SwapResult.TooManyRequests:
                    return new Admission.TooManyRequests();
                case SwapResult.TooManyOfRule:
                    exhausted = exhausted.Add(pairing!.Rule); // another rule may still approve: rules only widen
                    BoundReached?.Invoke(new ReachedBound(pairing.Rule, pairing.MaxPerHour, IsInAll: false));
                    break;
                case SwapResult.TooManyByRules:
                    exhausted = [.. rules.Policy.AutoApprove.Select(r => r.Name)];
                    BoundReached?.Invoke(new ReachedBound(pairing!.Rule, pairing.MaxInAll, IsInAll: true));
                    break;
            }
        }

        throw Contended();
    }

    /// <summary>An operator approves a request. Null if there is none.</summary>
    /// <param name="id">The request.</param>
    /// <param name="terms">What to grant.</param>
    /// <param name="by">Who approves.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RegistryUnavailableException">Whether the approval was written is not known; it may be repeated.</exception>
    public ValueTask<Decision?> ApproveAsync(RequestId id, GrantTerms terms, Operator by, PairingRules rules, CancellationToken cancellationToken) =>
        DecideAsync(id, (record, now) => Transitions.Approve(record, id, terms, by, rules.Policy.Implications, now, rules.Lifetimes), by, rules, cancellationToken);

    /// <summary>An operator rejects a request. Null if there is none.</summary>
    /// <param name="id">The request.</param>
    /// <param name="by">Who rejects.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RegistryUnavailableException">Whether the rejection was written is not known; it may be repeated.</exception>
    public ValueTask<Decision?> RejectAsync(RequestId id, Operator by, PairingRules rules, CancellationToken cancellationToken) =>
        DecideAsync(id, (record, now) => Transitions.Reject(record, id, by, now, rules.Lifetimes), by, rules, cancellationToken);

    /// <summary>An operator changes a device. Null if it is not on record.</summary>
    /// <param name="id">The device.</param>
    /// <param name="change">What changes.</param>
    /// <param name="by">Who changes it.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RegistryUnavailableException">
    /// Whether the change was written is not known, or it may still be lost (<see cref="RegistryUnavailableException.ChangeWasMade"/>); it may be repeated.
    /// </exception>
    public async ValueTask<Decision?> ChangeAsync(
        DeviceId id, DeviceChange change, Operator by, PairingRules rules, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(change);
        ArgumentNullException.ThrowIfNull(by);
        ArgumentNullException.ThrowIfNull(rules);
        Decision? decision = await WriteAsync(
            id,
            stored =>
            {
                bool isDamaged = stored.Damage is DamagedDocumentException && change is DeviceChange.Remove;
                Decision? next = isDamaged
                    ? new Decision(DecisionOutcome.Done, Transitions.RemoveDamaged(id, by, stored.Now, rules.Lifetimes))
                    : change.Apply(stored.Record, id, by, rules, stored.Now);
                return next?.Outcome is DecisionOutcome.Done or DecisionOutcome.AlreadyDone
                    && change.Precondition?.Invoke(isDamaged ? "" : stored.Record?.Version) == false
                    ? next with { Outcome = DecisionOutcome.OtherVersion }
                    : next;
            },
            change.Deed with { DeviceId = id },
            by,
            rules,
            cancellationToken);
        if (decision?.Outcome == DecisionOutcome.AboveCeiling)
            audit?.Enter(AuditTrail.Refused(by, id, request: null, change.Deed.Role, change.Deed.Scopes));
        return decision;
    }

    /// <summary>The record of a device, or null.</summary>
    public async ValueTask<DeviceRecord?> FindAsync(DeviceId id, CancellationToken cancellationToken) =>
        (await GetAsync(id, cancellationToken)).Record;

    /// <summary>A request as it stands now, resolved ones included while they are readable; or null.</summary>
    public async ValueTask<PairingRequest?> FindRequestAsync(RequestId id, CancellationToken cancellationToken)
    {
        if (await store.FindRequestAsync(id, cancellationToken) is not { } device)
            return null;
        (DeviceRecord? record, DateTimeOffset now) = await GetAsync(device, cancellationToken);
        return record?.FindRequest(id)?.AsOf(now);
    }

    /// <inheritdoc cref="IDeviceStore.ListDevicesAsync"/>
    public async ValueTask<Page<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        Note(await store.ListDevicesAsync(cursor, limit, cancellationToken));

    /// <inheritdoc cref="IDeviceStore.ListOpenRequestsAsync"/>
    public async ValueTask<Page<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        Note(await store.ListOpenRequestsAsync(cursor, limit, cancellationToken));

    /// <inheritdoc cref="IDeviceStore.PingAsync"/>
    public ValueTask PingAsync(CancellationToken cancellationToken) => store.PingAsync(cancellationToken);

    /// <summary>
    /// How many documents of a newer format this gateway has met, and the greatest format. One of them is read again each time, as a newer gateway
    /// may have changed it.
    /// </summary>
    /// <exception cref="RegistryUnavailableException">The registry cannot be reached.</exception>
    internal async ValueTask<(int Count, int Format)> CountNewerAsync(CancellationToken cancellationToken)
    {
        if (_newer.TakeNext() is { } device)
            await GetAsync(device, cancellationToken);
        return _newer.Count();
    }

    /// <summary>Whether this gateway knows the device, and has not seen its record in this version.</summary>
    internal bool IsNews(DeviceId id, string version) => _memory.IsNews(id, version);

    /// <summary>A device's record, and the store's time; that of a removed device if the store has gone back behind what was taken from it.</summary>
    internal async ValueTask<(DeviceRecord? Record, DateTimeOffset Now)> ReadAsync(DeviceId id, Lifetimes lifetimes, CancellationToken cancellationToken)
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            await WaitBeforeAsync(attempt, cancellationToken);
            long asOf = _memory.Restrictions;
            (DeviceRecord? stored, DateTimeOffset now) = await GetAsync(id, cancellationToken);
            if (Judge(id, stored, now, lifetimes, asOf) is { IsOvertaken: false } judgement)
                return (judgement.Record, now);
        }

        throw Contended();
    }

    /// <summary>Reads, decides and writes, until nobody else was faster. What was <see cref="DecisionOutcome.Done"/> gets a version of its own.</summary>
    /// <param name="id">The device.</param>
    /// <param name="decide">Decides by what is stored; null, and every outcome but <c>Done</c>, changes nothing.</param>
    /// <param name="deed">What it is in the audit, beside what becomes of requests; null if nothing.</param>
    /// <param name="by">The operator; null if none.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Gives up.</param>
    internal async ValueTask<Decision?> WriteAsync(
        DeviceId id, Func<StoredDevice, Decision?> decide, AuditEntry? deed, Operator? by, PairingRules rules, CancellationToken cancellationToken)
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            await WaitBeforeAsync(attempt, cancellationToken);
            long asOf = _memory.Restrictions;
            StoredDevice stored = await GetAsync(id, cancellationToken);
            DeviceRecord? record = stored.Damage is null ? stored.Record : null;
            Judgement judgement = stored.Damage is null ? Judge(id, record, stored.Now, rules.Lifetimes, asOf) : default;
            if (judgement.IsOvertaken)
                continue;
            Decision? decision = decide(judgement.IsBehind ? new StoredDevice(judgement.Record, stored.Now) : stored);
            switch (decision)
            {
                case { Outcome: DecisionOutcome.Done }:
                    decision = decision with { Record = Stamp(judgement, decision.Record, stored.Now) };
                    break;
                case { Outcome: DecisionOutcome.AlreadyDone or DecisionOutcome.NotFound } when record is not null:
                    // It may have been done a moment ago, and its acknowledgement lost: nobody is told so before it is certain.
                    decision = decision with { Record = judgement.IsBehind ? Stamp(judgement, judgement.Record!, stored.Now) : record };
                    break;
                default:
                    return decision;
            }

            bool isDone = decision.Outcome == DecisionOutcome.Done;
            if (await SwapAsync(record, decision.Record, stored.Now, rules, by, isDone ? deed : null, cancellationToken, stored.Damage is DamagedDocumentException) == SwapResult.Swapped)
                return decision;
        }

        throw Contended();
    }

    private async ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken)
    {
        StoredDevice stored = await store.GetAsync(id, cancellationToken);
        if (stored.Damage is NewerDocumentException newer)
            Note(newer.Document);
        else
            _newer.Forget(id);
        return stored;
    }

    private Page<T> Note<T>(Page<T> page)
    {
        foreach (NewerDocument document in page.Newer)
            Note(document);
        return page;
    }

    private void Note(NewerDocument document)
    {
        if (_newer.Note(document))
            LogNewer(document.Device, document.Format, DeviceDocument.Format);
    }

    private async ValueTask<Decision?> DecideAsync(
        RequestId id, Func<DeviceRecord, DateTimeOffset, Decision> decide, Operator by, PairingRules rules, CancellationToken cancellationToken)
    {
        if (await store.FindRequestAsync(id, cancellationToken) is not { } device)
            return null;
        Decision? decision = await WriteAsync(
            device, stored => stored.Record is { } record ? decide(record, stored.Now) : null, deed: null, by, rules, cancellationToken);
        if (decision is { Outcome: DecisionOutcome.AboveCeiling, Request: { } asked })
            audit?.Enter(AuditTrail.Refused(by, device, id, asked.Role, asked.Scopes));
        return decision;
    }

    private async ValueTask<SwapResult> SwapAsync(
        DeviceRecord? previous,
        DeviceRecord next,
        DateTimeOffset now,
        PairingRules rules,
        Operator? by,
        AuditEntry? deed,
        CancellationToken cancellationToken,
        bool replacesDamage = false,
        RulePairing? pairing = null)
    {
        var swap = new DeviceSwap(previous, next, Transitions.ExpiresAt(next, rules.Lifetimes, now), rules.Limits)
        {
            ReplacesDamage = replacesDamage,
            Pairing = pairing,
        };
        SwapResult? result = null;
        bool isUncertain = true;
        try
        {
            result = await store.SwapAsync(swap, cancellationToken);
        }
        catch (RegistryUnavailableException e) when (e.ChangeWasMade)
        {
            isUncertain = false;
            Tell(previous, next, now, rules.Lifetimes);
            throw;
        }
        finally
        {
            // Without an answer it may have been written, and whoever repeats it would find it done.
            if (result is null or SwapResult.Swapped)
                EnterChange(swap, now, by, deed, uncertain: result is null && isUncertain);
        }

        if (result == SwapResult.Swapped)
            Tell(previous, next, now, rules.Lifetimes);
        return result.Value;
    }

    private void EnterChange(DeviceSwap swap, DateTimeOffset now, Operator? by, AuditEntry? deed, bool uncertain)
    {
        if (audit is null)
            return;
        foreach (AuditEntry entry in AuditTrail.Of(swap.Previous, swap.Next, now, by, deed))
            audit.Enter(entry with { Uncertain = uncertain });
    }

    private void Tell(DeviceRecord? previous, DeviceRecord next, DateTimeOffset now, Lifetimes lifetimes)
    {
        if (previous?.Version == next.Version)
            return;
        _memory.Replaced(previous, next, now, lifetimes);
        Changed?.Invoke(next, now);
    }

    private Judgement Judge(DeviceId id, DeviceRecord? stored, DateTimeOffset now, Lifetimes lifetimes, long asOf)
    {
        Judgement judgement = _memory.Judge(id, stored, now, lifetimes, asOf);
        if (judgement.IsFirst)
            LogBehind(id);
        return judgement;
    }

    // A device that is paired is no new one, whatever more a rule approves for it.
    private static RulePairing? PairingBy(PairingDecision.AutoApprove approval, PairingPolicy policy) => approval.Reason == PairingReason.NotPaired
        ? new RulePairing(approval.Rule, policy.AutoApprove.First(r => r.Name == approval.Rule).MaxDevicesPerHour, policy.MaxDevicesByRules)
        : null;

    // At first at once; then at random in a span that doubles, up to half a second, or who is slower would lose every time.
    private static Task WaitBeforeAsync(int attempt, CancellationToken cancellationToken) =>
        attempt < 2 ? Task.CompletedTask : Task.Delay(RandomNumberGenerator.GetInt32(1 << Math.Min(attempt, 9)), cancellationToken);

    // Not paced, as how often it happens is bounded (MaxDevicesPerHour): admissions are, and would hide it.
    [LoggerMessage(1009, LogLevel.Information, "Rule {Rule} has paired device {Device} as {Role} with [{Scopes}] from {Address}.")]
    private partial void LogPaired(string rule, DeviceId device, string role, string scopes, string? address);

    [LoggerMessage(1510, LogLevel.Warning, "The registry has lost a restriction of device {Device}. The device counts as removed until an operator approves it again. Did an old primary come back, or was a backup restored?")]
    private partial void LogBehind(DeviceId device);

    [LoggerMessage(1515, LogLevel.Warning, "The document of device {Device} has format {Format}, and this gateway reads formats up to {Known}. The device is not admitted here and cannot be changed here until this gateway is upgraded.")]
    private partial void LogNewer(DeviceId device, int format, int known);

    // A version of its own; and if it takes something away, a time that is later than that of every document before.
    private static DeviceRecord Stamp(Judgement previous, DeviceRecord next, DateTimeOffset now)
    {
        bool takes = previous.IsBehind || (previous.Record is { } before && SeenRecord.TakesAway(before, next, now));
        return next with
        {
            Version = NewVersion(),
            TakenAt = next.TakenAt is { } taken && (!takes || taken >= now) ? taken.AddTicks(takes ? 1 : 0) : now,
        };
    }

    private static string NewVersion() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));

    private static RegistryUnavailableException Contended() => new("A device's record changes faster than it can be read.") { IsContended = true };
}

/// <summary>What the registry needs to know of the configuration in force.</summary>
/// <param name="Policy">The pairing policy.</param>
/// <param name="Lifetimes">How long things stay on record.</param>
/// <param name="Limits">How many requests may be open.</param>
public sealed record PairingRules(PairingPolicy Policy, Lifetimes Lifetimes, PendingLimits Limits);

/// <summary>By what a claim is decided.</summary>
/// <param name="Rules">The policy and bounds in force.</param>
/// <param name="MayAsk">Whether it may be approved, or ask to be, where it is not covered already; false if it lacks the shared token.</param>
public readonly record struct AdmissionTerms(PairingRules Rules, bool MayAsk = true);
