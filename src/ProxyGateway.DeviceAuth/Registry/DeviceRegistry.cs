using System.Collections.Immutable;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// The registry for the gate and the operators: reads a record, lets the policy or a transition decide, swaps, and starts over if another
/// change came first. Every retry runs the policy again.
/// </summary>
public sealed partial class DeviceRegistry
{
    // A device's record has few writers: if this many swaps in a row fail, there is a fault or an attack.
    private const int MaxAttempts = 32;

    private readonly RestrictionMemory _memory = new();
    private readonly NewerDocuments _newer = new();
    private readonly IDeviceStore _store;
    private readonly AuditLog? _audit;
    private readonly ILogger _logger;
    private readonly RegistryCalls _calls;
    private readonly GateCounter? _marks;

    /// <summary>A registry beside the gate's: its changes are in no audit of this process.</summary>
    /// <param name="store">The store of the documents.</param>
    /// <param name="logger">The log of lost restrictions; null: none.</param>
    public DeviceRegistry(IDeviceStore store, ILogger<DeviceRegistry>? logger = null)
        : this(store, audit: null, logger)
    {
    }

    internal DeviceRegistry(IDeviceStore store, AuditLog? audit, ILogger<DeviceRegistry>? logger = null, GateTelemetry? telemetry = null)
    {
        (_store, _audit, _logger) = (store, audit, logger ?? NullLogger<DeviceRegistry>.Instance);
        _calls = telemetry is null ? RegistryCalls.Off : new RegistryCalls(telemetry);
        _marks = telemetry?.CreateCounter(
            "proxygateway.replay.marks", "{mark}", "Proofs that this gateway has marked as used, or found marked, by outcome.");
    }

    /// <summary>
    /// Raised after a record was changed through this registry, with the new record and the store's time; within the call that changed it,
    /// and for
    /// several devices at a time. Handlers must neither block nor throw: the caller would get the exception although the change is made.
    /// </summary>
    public event Action<DeviceRecord, DateTimeOffset>? Changed;

    /// <summary>
    /// Raised when a rule would have paired a device but is at its bound. Handlers must neither block nor throw: the device waits.
    /// </summary>
    public event Action<ReachedBound>? BoundReached;

    /// <summary>Decides a claim, and writes the result before returning it.</summary>
    /// <param name="claim">The verified claim.</param>
    /// <param name="origin">The claim's origin.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Cancels the operation; a write under way may or may not have been made.</param>
    /// <exception cref="RegistryUnavailableException">Nothing may be concluded: admit nobody.</exception>
    /// <exception cref="UnreadableDocumentException">The device's document is damaged, or of a newer format: do not admit it.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public ValueTask<Admission> AdmitAsync(DeviceClaim claim, ClaimOrigin origin, PairingRules rules, CancellationToken cancellationToken) =>
        AdmitAsync(claim, origin, rules, once: null, cancellationToken);

    /// <summary>Decides a claim whose proof may be used once, and writes the result before returning it.</summary>
    /// <inheritdoc cref="AdmitAsync(DeviceClaim, ClaimOrigin, PairingRules, CancellationToken)"/>
    /// <param name="claim">The verified claim.</param>
    /// <param name="origin">The claim's origin.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="once">What names the proof; null if it cannot come again.</param>
    /// <param name="cancellationToken">Cancels the operation; a write under way may or may not have been made.</param>
    public ValueTask<Admission> AdmitAsync(
        DeviceClaim claim, ClaimOrigin origin, PairingRules rules, UseOnce? once, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return AdmitAsync(claim, origin, () => new AdmissionTerms(rules), PendingUse.Of(once), cancellationToken);
    }

    /// <inheritdoc cref="AdmitAsync(DeviceClaim, ClaimOrigin, PairingRules, CancellationToken)"/>
    /// <param name="claim">The verified claim.</param>
    /// <param name="origin">Where it comes from.</param>
    /// <param name="terms">The terms in force: read at each decision, after the record, so that a retry uses the newest.</param>
    /// <param name="use">What the decision uses up; null if nothing.</param>
    /// <param name="cancellationToken">Cancels the operation; a write under way may or may not have been made.</param>
    internal ValueTask<Admission> AdmitAsync(
        DeviceClaim claim, ClaimOrigin origin, Func<AdmissionTerms> terms, PendingUse? use, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(claim);
        ArgumentNullException.ThrowIfNull(origin);
        ArgumentNullException.ThrowIfNull(terms);
        AdmissionTerms inForce = default;
        ImmutableArray<string> exhausted = []; // rules that are at their bound
        var peer = new Lazy<PeerUser>(origin.LookUpPeerUser); // looked up once for all attempts
        ClaimOrigin from = origin with { LookUpPeerUser = () => peer.Value };
        return RepeatAsync(
            claim.Device, () => (inForce = terms()).Rules, reading => Decide(reading, claim, from, inForce, exhausted, use), Conclude, by: null, cancellationToken, use);

        Admission? Conclude(Step<Admission> step, SwapResult result)
        {
            switch (result)
            {
                case SwapResult.Swapped:
                    if (step.Once is not null)
                        use!.IsMarked = true;
                    if (step.Pairing is not null)
                        LogPaired(step.Pairing.Rule, claim.Device, claim.Key.ToString(), LogText.Of(claim.Scopes), origin.Address);
                    return step.Answer;
                case SwapResult.TooManyRequests:
                    return new Admission.TooManyRequests();
                case SwapResult.UsedBefore:
                    return new Admission.UsedBefore();
                case SwapResult.TooManyOfRule:
                    exhausted = exhausted.Add(step.Pairing!.Rule); // another rule may still approve: rules only widen
                    BoundReached?.Invoke(new ReachedBound(step.Pairing.Rule, step.Pairing.MaxPerHour, IsInAll: false));
                    return null;
                case SwapResult.TooManyByRules:
                    exhausted = [.. inForce.Rules.Policy.AutoApprove.Select(r => r.Name)];
                    BoundReached?.Invoke(new ReachedBound(step.Pairing!.Rule, step.Pairing.MaxInAll, IsInAll: true));
                    return null;
                default:
                    return null;
            }
        }
    }

    /// <summary>An operator approves a request. Null if there is none.</summary>
    /// <param name="id">The request.</param>
    /// <param name="terms">The grant.</param>
    /// <param name="by">The operator.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RegistryUnavailableException">It is unknown whether the approval was written; it may be repeated.</exception>
    /// <exception cref="UnreadableDocumentException">
    /// The device's document is damaged, or of a newer format: nothing was changed.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled; it may or may not have been written.</exception>
    public ValueTask<Decision?> ApproveAsync(
        RequestId id, GrantTerms terms, Operator by, PairingRules rules, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(terms);
        return DecideAsync(
            id, (record, now) => Transitions.Approve(record, id, terms, by, rules.Policy.Implications, now, rules.Lifetimes), terms.Also, by, rules, cancellationToken);
    }

    /// <summary>Approves a request that is open in an operator's name, unless the record at that moment says that another operator has decided. Null if there is none.</summary>
    internal ValueTask<Decision?> ApproveAsync(
        RequestId id, GrantTerms terms, Operator by, Predicate<DeviceRecord> isDecided, PairingRules rules, CancellationToken cancellationToken) => DecideAsync(
            id,
            (record, now) => record.FindRequest(id) is { Status: PairingRequestStatus.Open } open && isDecided(record.AsOf(now))
                ? new Decision(DecisionOutcome.AlreadyResolved, record, open)
                : Transitions.Approve(record, id, terms, by, rules.Policy.Implications, now, rules.Lifetimes),
            also: [],
            by,
            rules,
            cancellationToken);

    /// <summary>An operator rejects a request. Null if there is none.</summary>
    /// <param name="id">The request.</param>
    /// <param name="by">The operator.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RegistryUnavailableException">It is unknown whether the rejection was written; it may be repeated.</exception>
    /// <exception cref="UnreadableDocumentException">
    /// The device's document is damaged, or of a newer format: nothing was changed.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled; it may or may not have been written.</exception>
    public ValueTask<Decision?> RejectAsync(RequestId id, Operator by, PairingRules rules, CancellationToken cancellationToken) =>
        DecideAsync(id, (record, now) => Transitions.Reject(record, id, by, now, rules.Lifetimes), also: [], by, rules, cancellationToken);

    /// <summary>An operator changes a device. Null if it does not exist.</summary>
    /// <param name="id">The device.</param>
    /// <param name="change">The change.</param>
    /// <param name="by">The operator.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RegistryUnavailableException">
    /// It is unknown whether the change was written, or it may still be lost (<see cref="RegistryUnavailableException.ChangeWasMade"/>); it
    /// may be repeated.
    /// </exception>
    /// <exception cref="UnreadableDocumentException">
    /// The device's document is of a newer format, or is damaged and the change is not its removal: nothing was changed.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled; it may or may not have been written.</exception>
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
            change.Operation with { DeviceId = id },
            by,
            rules,
            cancellationToken);
        if (decision?.Outcome == DecisionOutcome.AboveCeiling)
            _audit?.Enter(AuditTrail.Refused(by, id, request: null, change.Operation.Audience, change.Operation.Role, change.Operation.Scopes));
        return decision;
    }

    /// <summary>The record of a device, or null.</summary>
    /// <exception cref="RegistryUnavailableException">The registry cannot be reached, or is too slow.</exception>
    /// <exception cref="UnreadableDocumentException">Its document is damaged, or of a newer format.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async ValueTask<DeviceRecord?> FindAsync(DeviceId id, CancellationToken cancellationToken) =>
        (await GetAsync(id, cancellationToken)).Record;

    /// <summary>A request in its present state, also a resolved one while it is readable; or null.</summary>
    /// <exception cref="RegistryUnavailableException">The registry cannot be reached, or is too slow.</exception>
    /// <exception cref="UnreadableDocumentException">The document of its device is damaged, or of a newer format.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async ValueTask<PairingRequest?> FindRequestAsync(RequestId id, CancellationToken cancellationToken)
    {
        if (await FindDeviceAsync(id, cancellationToken) is not { } device)
            return null;
        (DeviceRecord? record, DateTimeOffset now) = await GetAsync(device, cancellationToken);
        return record?.FindRequest(id)?.AsOf(now);
    }

    /// <inheritdoc cref="IDeviceStore.ListDevicesAsync"/>
    public async ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        Note(await _calls.MeasureAsync(RegistryOperation.ListDevices, _calls.Start(), _store.ListDevicesAsync(cursor, limit, cancellationToken)));

    /// <inheritdoc cref="IDeviceStore.ListOpenRequestsAsync"/>
    public async ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken) =>
        Note(await _calls.MeasureAsync(RegistryOperation.ListRequests, _calls.Start(), _store.ListOpenRequestsAsync(cursor, limit, cancellationToken)));

    /// <inheritdoc cref="IDeviceStore.PingAsync"/>
    public ValueTask PingAsync(CancellationToken cancellationToken) =>
        _calls.MeasureAsync(RegistryOperation.Ping, _calls.Start(), _store.PingAsync(cancellationToken));

    /// <inheritdoc cref="IDeviceStore.GetVersionsAsync"/>
    internal ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken) =>
        _calls.MeasureAsync(RegistryOperation.GetVersions, _calls.Start(), _store.GetVersionsAsync(ids, cancellationToken));

    /// <summary>
    /// How many documents of a newer format this gateway has met, and the greatest format. One of them is read again each time, since a
    /// newer gateway may have changed it.
    /// </summary>
    /// <exception cref="RegistryUnavailableException">The registry cannot be reached.</exception>
    internal async ValueTask<(int Count, int Format)> CountNewerAsync(CancellationToken cancellationToken)
    {
        if (_newer.TakeNext() is { } device)
            await GetAsync(device, cancellationToken);
        return _newer.Count();
    }

    /// <summary>Whether this gateway knows the device, and has not seen its record in this version.</summary>
    internal bool IsUnseenVersion(DeviceId id, string version) => _memory.IsUnseenVersion(id, version);

    /// <summary>A device's record and the store's time; the record of a removed device if the store has lost a restriction.</summary>
    internal async ValueTask<(DeviceRecord? Record, DateTimeOffset Now)> ReadAsync(
        DeviceId id, PairingRules rules, CancellationToken cancellationToken)
    {
        Reading read = await RepeatAsync<Reading>(id, () => rules, static reading => new(reading), static (_, _) => null, by: null, cancellationToken);
        return (read.Record, read.Stored.Now);
    }

    /// <summary>
    /// Reads, decides and writes, until no other change comes first. A record with the outcome <see cref="DecisionOutcome.Done"/> gets a
    /// new version.
    /// </summary>
    /// <param name="id">The device.</param>
    /// <param name="decide">Decides by the stored record; null, and every outcome but <c>Done</c>, changes nothing.</param>
    /// <param name="operation">The audit entry, besides the effect on requests; null if none.</param>
    /// <param name="by">The operator; null if none.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    internal ValueTask<Decision?> WriteAsync(
        DeviceId id, Func<StoredDevice, Decision?> decide, AuditEntry? operation, Operator? by, PairingRules rules, CancellationToken cancellationToken) => RepeatAsync(
            id,
            () => rules,
            reading =>
            {
                (StoredDevice stored, Judgement judgement) = reading;
                Decision? decision = decide(judgement.IsBehind ? new StoredDevice(judgement.Record, stored.Now) : stored);
                DeviceRecord? next = decision?.Outcome switch
                {
                    DecisionOutcome.Done => Stamp(judgement, decision.Record, stored.Now),

                    // The change may have been made recently and its acknowledgement lost: the caller hears of it only once it is certain.
                    DecisionOutcome.AlreadyDone or DecisionOutcome.NotFound when reading.Replaced is { } record =>
                        judgement.IsBehind ? Stamp(judgement, judgement.Record!, stored.Now) : record,
                    _ => null,
                };
                return new Step<Decision?>(next is null ? decision : decision! with { Record = next }, next)
                {
                    Operation = decision?.Outcome == DecisionOutcome.Done ? operation : null,
                };
            },
            static (step, result) => result == SwapResult.Swapped ? step.Answer : null,
            by,
            cancellationToken);

    /// <summary>
    /// Reads, lets a transition decide, and swaps, until no other change comes first. The transition is pure and runs again at every
    /// attempt. A record that was overtaken while it was read is read again first.
    /// </summary>
    /// <param name="id">The device.</param>
    /// <param name="rules">The rules in force: read after the record.</param>
    /// <param name="decide">The transition.</param>
    /// <param name="conclude">The answer after a swap; null: read and decide again.</param>
    /// <param name="by">The operator; null if none.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <param name="use">What the decision uses up; null if nothing.</param>
    private async ValueTask<T> RepeatAsync<T>(
        DeviceId id, Func<PairingRules> rules, Func<Reading, Step<T>> decide, Func<Step<T>, SwapResult, T?> conclude, Operator? by, CancellationToken cancellationToken,
        PendingUse? use = null)
        where T : class?
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            await WaitBeforeAsync(attempt, cancellationToken);
            long asOf = _memory.Restrictions;
            StoredDevice stored = await GetAsync(id, use, cancellationToken);
            PairingRules inForce = rules();
            Judgement judgement = stored.Damage is null ? Judge(id, stored.Record, stored.Now, inForce.Lifetimes, asOf) : default;
            if (judgement.IsOvertaken)
                continue;
            var reading = new Reading(stored, judgement);
            Step<T> step = decide(reading);
            if (step.Next is not { } next)
                return step.Answer;
            SwapResult result = await SwapAsync(reading, step, next, inForce, by, cancellationToken);
            if (conclude(step, result) is { } answer)
                return answer;
        }

        throw new RegistryUnavailableException("A device's record changes faster than it can be read.") { IsContended = true };
    }

    private ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken) => GetAsync(id, use: null, cancellationToken);

    private async ValueTask<StoredDevice> GetAsync(DeviceId id, PendingUse? use, CancellationToken cancellationToken)
    {
        StoredDevice stored = use?.Open is { } once
            ? await _calls.MeasureAsync(RegistryOperation.GetOnce, _calls.Start(), Replays.GetAsync(id, once, cancellationToken))
            : await _calls.MeasureAsync(RegistryOperation.Get, _calls.Start(), _store.GetAsync(id, cancellationToken));
        if (stored.Mark == UseMark.Made)
            use!.IsMarked = true;
        if (stored.Mark != UseMark.None)
            CountMark(stored.Mark == UseMark.Made);
        if (stored.Damage is NewerDocumentException newer)
            Note(newer.Document);
        else
            _newer.Forget(id);
        return stored;
    }

    private ValueTask<DeviceId?> FindDeviceAsync(RequestId id, CancellationToken cancellationToken) =>
        _calls.MeasureAsync(RegistryOperation.FindRequest, _calls.Start(), _store.FindRequestAsync(id, cancellationToken));

    private void CountMark(bool isNew) => _marks?.Add(1, KeyValuePair.Create<string, object?>(TagNames.Outcome, isNew ? "made" : "used-before"));

    private IReplayStore Replays =>
        _store as IReplayStore ?? throw new RegistryUnavailableException("The registry's store cannot remember which proofs were used, so it decides none that can come again.");

    private PagedResult<T> Note<T>(PagedResult<T> page)
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
        RequestId id,
        Func<DeviceRecord, DateTimeOffset, Decision> decide,
        IEnumerable<KeyValuePair<string, ScopeSet>> also,
        Operator by,
        PairingRules rules,
        CancellationToken cancellationToken)
    {
        if (await FindDeviceAsync(id, cancellationToken) is not { } device)
            return null;
        Decision? decision = await WriteAsync(
            device, stored => stored.Record is { } record ? decide(record, stored.Now) : null, operation: null, by, rules, cancellationToken);
        if (decision is { Outcome: DecisionOutcome.AboveCeiling, Request: { } asked })
        {
            (string role, ScopeSet scopes) = also.Prepend(new(asked.Role, asked.Scopes))
                .FirstOrDefault(wanted => !by.MayGrant(new GrantKey(asked.Audience, wanted.Key), wanted.Value, rules.Policy.Implications), new(asked.Role, asked.Scopes));
            _audit?.Enter(AuditTrail.Refused(by, device, id, asked.Audience, role, scopes));
        }

        return decision;
    }

    private static Step<Admission> Decide(
        Reading reading, DeviceClaim claim, ClaimOrigin origin, AdmissionTerms terms, ImmutableArray<string> exhausted, PendingUse? use)
    {
        if (reading.Stored.Mark == UseMark.UsedBefore)
            return new(new Admission.UsedBefore());
        (PairingRules rules, bool mayAsk, bool byRules) = terms;
        (Judgement judgement, DateTimeOffset now) = (reading.Judgement, reading.Stored.Now);
        DeviceRecord? record = reading.Record?.AsOf(now);
        PairingPolicy policy = byRules ? rules.Policy.Without(exhausted) : rules.Policy with { AutoApprove = [] };
        Locality locality = origin.Locality;
        PairingDecision decision = policy.Decide(record, claim, locality);
        if (claim.RecordVersion is { } version && decision is not PairingDecision.Refuse && !(decision is PairingDecision.Admit && record!.Version == version))
            return new(new Admission.Outdated());
        if (!mayAsk && decision is not (PairingDecision.Admit or PairingDecision.Refuse))
            return new(new Admission.Unauthorized());
        if (decision is PairingDecision.LookUpPeerUser)
        {
            locality = locality with { Peer = origin.LookUpPeerUser() };
            decision = policy.Decide(record, claim, locality);
        }

        switch (decision)
        {
            case PairingDecision.Admit when use is { IsMarked: false }:
                throw new RegistryUnavailableException("A proof was not marked as used beside the record that covers its claim.");
            case PairingDecision.Admit:
                return new(new Admission.Admitted(record!, Rule: null, now));
            case PairingDecision.Refuse:
                return new(new Admission.Blocked());
            case PairingDecision.AutoApprove approve:
                DeviceRecord approved = Stamp(judgement, Transitions.AutoApprove(record, claim, approve.Rule, rules.Policy.Implications, now, rules.Lifetimes), now);
                return new(new Admission.Admitted(approved, approve.Rule, now), approved)
                {
                    Operation = AuditTrail.AutoApproved(claim, approve, origin.Address, rules.Policy.Classify(locality)),
                    Pairing = PairingBy(approve, record, policy),
                    Once = use?.Open,
                };
            case PairingDecision.RequirePairing require:
                Ask ask = Transitions.Ask(record, claim, require.Reason, rules.Policy.Classify(locality), origin.Address, now, rules.Lifetimes);
                if (ask.Outcome == AskOutcome.TooMany)
                    return new(new Admission.TooManyRequests());
                DeviceRecord? next = ask.Outcome is AskOutcome.Opened or AskOutcome.Renewed ? ask.Next : null;
                if (judgement.IsBehind || ask.Outcome == AskOutcome.Opened)
                    next = Stamp(judgement, next ?? record!, now); // the lost restriction is written again
                return new(new Admission.Refused(require.Reason, ask.Request!, record, IsNew: ask.Outcome == AskOutcome.Opened), next)
                {
                    Once = use?.Open, // else an attacker who has seen the proof could show it again once the request is approved
                };
            default:
                throw new InvalidOperationException("The policy asks for a user that was looked up.");
        }
    }

    private async ValueTask<SwapResult> SwapAsync<T>(
        Reading reading, Step<T> step, DeviceRecord next, PairingRules rules, Operator? by, CancellationToken cancellationToken)
    {
        (DeviceRecord? previous, DateTimeOffset now) = (reading.Replaced, reading.Stored.Now);
        var swap = new DeviceSwap(previous, next, Transitions.ExpiresAt(next, rules.Lifetimes, now), rules.Limits)
        {
            ReplacesDamage = reading.Stored.Damage is DamagedDocumentException,
            Pairing = step.Pairing,
            Once = step.Once,
        };
        SwapResult? result = null;
        bool isUncertain = true;
        try
        {
            result = await _calls.MeasureAsync(RegistryOperation.Swap, _calls.Start(), _store.SwapAsync(swap, cancellationToken));
            if (swap.Once is not null && result is SwapResult.Swapped or SwapResult.UsedBefore)
                CountMark(result == SwapResult.Swapped);
        }
        catch (RegistryUnavailableException e) when (e.ChangeWasMade)
        {
            isUncertain = false;
            Tell(previous, next, now, rules.Lifetimes);
            throw;
        }
        finally
        {
            // Without an answer it may have been written, and a caller that repeats the change would find it done.
            if (result is null or SwapResult.Swapped)
                EnterChange(swap, now, by, step.Operation, uncertain: result is null && isUncertain);
        }

        if (result == SwapResult.Swapped)
            Tell(previous, next, now, rules.Lifetimes);
        return result.Value;
    }

    private void EnterChange(DeviceSwap swap, DateTimeOffset now, Operator? by, AuditEntry? operation, bool uncertain)
    {
        if (_audit is null)
            return;
        foreach (AuditEntry entry in AuditTrail.Of(swap.Previous, swap.Next, now, by, operation))
            _audit.Enter(entry with { Uncertain = uncertain });
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

    // A device that is already paired is no new one, even if a rule approves more for it. In another audience it is new, and counts in the rule's hour; but
    // it adds none to the devices in all.
    private static RulePairing? PairingBy(PairingDecision.AutoApprove approval, DeviceRecord? record, PairingPolicy policy) => approval.Reason == PairingReason.NotPaired
        ? new RulePairing(
            approval.Rule,
            policy.AutoApprove.First(r => r.Name == approval.Rule).MaxDevicesPerHour,
            record?.IsPaired == true ? int.MaxValue : policy.MaxDevicesByRules)
        : null;

    // First at once; then at random in a span that doubles, up to half a second. Otherwise the slower one would lose every time.
    private static Task WaitBeforeAsync(int attempt, CancellationToken cancellationToken) =>
        attempt < 2 ? Task.CompletedTask : Task.Delay(RandomNumberGenerator.GetInt32(1 << Math.Min(attempt, 9)), cancellationToken);

    // Not paced: MaxDevicesPerHour bounds it, and the pace of admissions would hide it.
    [LoggerMessage(1009, LogLevel.Information, "Rule {Rule} has paired device {Device} as {Role} with [{Scopes}] from {Address}.")]
    private partial void LogPaired(string rule, object device, string role, string scopes, string? address);

    [LoggerMessage(1510, LogLevel.Warning, "The registry has lost a restriction of device {Device}. The device counts as removed until an operator approves it again. Did an old primary come back, or was a backup restored?")]
    private partial void LogBehind(object device);

    [LoggerMessage(1515, LogLevel.Warning, "The document of device {Device} has format {Format}, and this gateway reads formats up to {Known}. The device is not admitted here and cannot be changed here until this gateway is upgraded.")]
    private partial void LogNewer(object device, object format, object known);

    // A new version; and for a restriction a time that is later than that of every earlier document.
    private static DeviceRecord Stamp(Judgement previous, DeviceRecord next, DateTimeOffset now)
    {
        bool takes = previous.IsBehind || (previous.Record is { } before && SeenRecord.IsRestriction(before, next, now));
        return next with
        {
            Version = NewVersion(),
            TakenAt = next.TakenAt is { } taken && (!takes || taken >= now) ? taken.AddTicks(takes ? 1 : 0) : now,
        };
    }

    private static string NewVersion() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));

    /// <summary>The input of a transition.</summary>
    /// <param name="Stored">The document that was read.</param>
    /// <param name="Judgement">The record that counts; none if the document cannot be read.</param>
    private sealed record Reading(StoredDevice Stored, Judgement Judgement)
    {
        /// <summary>The record that counts; null if there is none.</summary>
        /// <exception cref="UnreadableDocumentException">There is one, and it cannot be read.</exception>
        public DeviceRecord? Record => Stored.Damage is null ? Judgement.Record : throw Stored.Damage;

        /// <summary>The record that a swap replaces; null if there is none, or none that can be read.</summary>
        public DeviceRecord? Replaced => Stored.Damage is null ? Stored.Record : null;
    }

    /// <summary>The result of a transition.</summary>
    /// <param name="Answer">The answer, once <paramref name="Next"/> is written.</param>
    /// <param name="Next">The record to write; null if none.</param>
    private sealed record Step<T>(T Answer, DeviceRecord? Next = null)
    {
        /// <summary>The audit entry, besides the effect on requests.</summary>
        public AuditEntry? Operation { get; init; }

        /// <summary>The rule that pairs the device; null if none does.</summary>
        public RulePairing? Pairing { get; init; }

        /// <summary>What the swap marks as used; null if nothing.</summary>
        public UseOnce? Once { get; init; }
    }
}
