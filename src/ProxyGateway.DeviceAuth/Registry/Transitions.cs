using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// All changes of a device's record, as pure functions: record and time in, record out. Stores write the results; no other code makes
/// records.
/// </summary>
public static class Transitions
{
    /// <summary>How many requests of one device may be open.</summary>
    public const int MaxOpenRequestsPerDevice = 8;

    /// <summary>How many bytes the requests of one device may have in its document, including recently resolved ones.</summary>
    internal const int MaxRequestBytesPerDevice = 48 * 1024;

    // The longest life of a request that the device keeps renewing.
    private static readonly TimeSpan LongestRenewal = TimeSpan.FromHours(1);

    /// <summary>A rule approves exactly the claim.</summary>
    public static DeviceRecord AutoApprove(
        DeviceRecord? record, DeviceClaim claim, string rule, ScopeImplications implications, DateTimeOffset now, Lifetimes lifetimes)
    {
        DeviceRecord next = Begin(record, claim, now, lifetimes);
        // no rule prolongs an end that an operator has set
        Grant grant = Grant.ByRule(next.Grants.GetValueOrDefault(claim.Key), claim.Scopes, rule, now);
        return CoverRequests(next with { Grants = next.Grants.SetItem(claim.Key, grant) }, implications, now);
    }

    /// <summary>The device makes a request, since no grant covers its claim.</summary>
    internal static Ask Ask(
        DeviceRecord? record, DeviceClaim claim, PairingReason reason, LocalityKind locality, string? address, DateTimeOffset now, Lifetimes lifetimes)
    {
        DeviceRecord next = Begin(record, claim, now, lifetimes);
        PairingRequest? same = next.Requests.LastOrDefault(r => r.Asks(claim.Key, claim.Scopes)
            && r.Status is PairingRequestStatus.Open or PairingRequestStatus.Rejected);
        if (same is not null)
            return same.Status == PairingRequestStatus.Open ? Renew(record!, same, now, lifetimes) : new Ask(AskOutcome.Rejected, record!, same);
        if (next.Requests.Count(r => r.Status == PairingRequestStatus.Open) >= MaxOpenRequestsPerDevice)
            return new Ask(AskOutcome.TooMany, next, Request: null);

        var request = new PairingRequest
        {
            Id = RequestId.New(now),
            DeviceId = claim.Device,
            Audience = claim.Audience,
            Role = claim.Role,
            Scopes = claim.Scopes,
            Reason = reason,
            ByRulesAlone = next.IsByRulesAlone,
            Client = claim.Client,
            Address = address,
            Locality = locality,
            CreatedAt = now,
            ExpiresAt = now + lifetimes.Request,
        };
        DeviceRecord asked = next with { Requests = next.Requests.Add(request) };
        return DeviceDocument.SizeOfRequests(asked) > MaxRequestBytesPerDevice
            ? new Ask(AskOutcome.TooMany, next, Request: null)
            : new Ask(AskOutcome.Opened, asked, request);
    }

    /// <summary>
    /// An operator approves a request: all of it, or the scopes that they name. An end that they name applies to all that the device holds
    /// in the role; without one, an existing end stays. The scopes of <see cref="GrantTerms.Also"/> are added to what the device holds in
    /// those roles of the request's audience, on the same terms; if any of it is not allowed, nothing is approved.
    /// </summary>
    internal static Decision Approve(
        DeviceRecord record, RequestId id, GrantTerms terms, Operator by, ScopeImplications implications, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(terms);
        ArgumentNullException.ThrowIfNull(by);
        ArgumentNullException.ThrowIfNull(implications);
        DeviceRecord next = Prune(record, now, lifetimes);
        if (next.FindRequest(id) is not { } request)
            return new Decision(DecisionOutcome.NotFound, record, Request: null);

        ScopeSet granted = terms.Scopes ?? request.Scopes;
        (GrantKey Key, ScopeSet Scopes)[] also = [.. terms.Also.Select(a => (new GrantKey(request.Audience, a.Key), a.Value))];
        (GrantKey Key, ScopeSet Scopes)[] wanted = [(request.Key, granted), .. also];
        if (!implications.Covers(request.Role, request.Scopes, granted))
            return new Decision(DecisionOutcome.WiderThanAsked, record, request);
        if (!wanted.All(w => by.MayGrant(w.Key, w.Scopes, implications)))
            return new Decision(DecisionOutcome.AboveCeiling, record, request);
        if (request.Status == PairingRequestStatus.Approved && granted.Equals(request.GrantedScopes)
            && wanted.All(w => terms.Until is null || terms.Until == next.Grants.GetValueOrDefault(w.Key)?.Until)
            && also.All(a => next.Grants.ContainsKey(a.Key) && implications.Covers(a.Key.Role, next.ScopesOf(a.Key), a.Scopes)))
            return new Decision(DecisionOutcome.AlreadyDone, record, request);
        if (request.Status != PairingRequestStatus.Open)
            return new Decision(DecisionOutcome.AlreadyResolved, record, request);
        if (terms.Until <= now)
            return new Decision(DecisionOutcome.UntilIsPast, record, request);
        ImmutableSortedDictionary<GrantKey, Grant> grants = next.Grants;
        foreach ((GrantKey key, ScopeSet scopes) in wanted)
        {
            Grant? held = next.Grants.GetValueOrDefault(key);
            if (terms.Until is not null && held is { Until: null }) // even without a scope, since the role itself would end
                return new Decision(DecisionOutcome.HeldWithoutEnd, record, request);
            if (terms.Until > held?.Until && !by.MayGrant(key, next.ScopesOf(key), implications))
                return new Decision(DecisionOutcome.AboveCeiling, record, request); // the whole grant would be prolonged
            grants = grants.SetItem(key, Grant.ByOperator(grants.GetValueOrDefault(key), scopes, by.Name, now) with { Until = terms.Until ?? held?.Until });
        }

        PairingRequest approved = request with
        {
            Status = PairingRequestStatus.Approved,
            GrantedScopes = granted,
            ResolvedBy = by.Name,
            ResolvedAt = now,
        };
        bool inFull = implications.Covers(request.Role, grants[request.Key].Scopes!, request.Scopes);
        next = next with
        {
            Legacy = StaysLegacy(next, request.Audience),
            Grants = grants,
            Refusals = inFull ? RefusalMarks.Clear(next.Refusals, request.Key) : RefusalMarks.Mark(next.Refusals, request.Key, now),
            Requests = next.Requests.Replace(request, approved),
        };
        next = CoverRequests(next, implications, now);

        // What the device asks for in another role, and gets less of, is approved in part: no rule approves the rest.
        GrantKey[] inPart = [.. next.Requests.Where(r => r.Status == PairingRequestStatus.Open && r.Key != request.Key && also.Any(a => a.Key == r.Key)).Select(r => r.Key)];
        next = next with { Refusals = inPart.Aggregate(next.Refusals, (marks, key) => RefusalMarks.Mark(marks, key, now)) };
        return new Decision(DecisionOutcome.Done, next, approved);
    }

    /// <summary>An operator rejects a request. The role is marked, so that no rule approves it.</summary>
    internal static Decision Reject(DeviceRecord record, RequestId id, Operator by, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(by);
        DeviceRecord next = Prune(record, now, lifetimes);
        if (next.FindRequest(id) is not { } request)
            return new Decision(DecisionOutcome.NotFound, record, Request: null);
        if (request.Status == PairingRequestStatus.Rejected)
            return new Decision(DecisionOutcome.AlreadyDone, record, request);
        if (request.Status != PairingRequestStatus.Open)
            return new Decision(DecisionOutcome.AlreadyResolved, record, request);

        PairingRequest rejected = request with { Status = PairingRequestStatus.Rejected, ResolvedBy = by.Name, ResolvedAt = now };
        next = next with
        {
            Refusals = RefusalMarks.Mark(next.Refusals, request.Key, now),
            Requests = next.Requests.Replace(request, rejected),
        };
        return new Decision(DecisionOutcome.Done, next, rejected);
    }

    /// <summary>
    /// An operator sets the grant of a role in an audience; null revokes it. Roles and scopes that the device loses are marked, so that no rule gives them
    /// back. An operator's ceiling bounds what they may leave granted; revoking is always allowed.
    /// </summary>
    internal static Decision SetGrant(
        DeviceRecord record, GrantKey key, GrantTerms? terms, Operator by, ScopeImplications implications, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(by);
        ArgumentNullException.ThrowIfNull(implications);
        DeviceRecord next = Prune(record, now, lifetimes);
        if (!next.IsPaired || (terms is null && !next.Grants.ContainsKey(key)))
            return new Decision(DecisionOutcome.NotFound, record);
        ScopeSet? scopes = terms is null ? null : terms.Scopes ?? ScopeSet.Empty;
        if (scopes is not null && !by.MayGrant(key, scopes, implications))
            return new Decision(DecisionOutcome.AboveCeiling, record);
        if (terms?.Until <= now)
            return new Decision(DecisionOutcome.UntilIsPast, record);

        bool narrowed = scopes is null || !implications.Covers(key.Role, scopes, next.ScopesOf(key));
        next = next with
        {
            Legacy = StaysLegacy(next, key.Audience),
            Grants = scopes is null
                ? next.Grants.Remove(key)
                : next.Grants.SetItem(key, new Grant
                {
                    Scopes = scopes,
                    ApprovedAt = now,
                    ApprovedBy = by.Name,
                    Until = terms!.Until,
                    Unknown = next.Grants.GetValueOrDefault(key)?.Unknown,
                }),
            Refusals = narrowed ? RefusalMarks.Mark(next.Refusals, key, now) : next.Refusals,
        };
        return new Decision(DecisionOutcome.Done, CoverRequests(next, implications, now));
    }

    /// <summary>An operator sets or removes the device's label.</summary>
    /// <param name="record">The device's record.</param>
    /// <param name="label">The label, safe to show; null for none.</param>
    /// <param name="now">The time.</param>
    /// <param name="lifetimes">How long records are kept.</param>
    internal static Decision SetLabel(DeviceRecord record, string? label, DateTimeOffset now, Lifetimes lifetimes)
    {
        DeviceRecord next = Prune(record, now, lifetimes);
        if (!next.IsListed)
            return new Decision(DecisionOutcome.NotFound, record);
        return next.Label == label
            ? new Decision(DecisionOutcome.AlreadyDone, record)
            : new Decision(DecisionOutcome.Done, next with { Label = label });
    }

    /// <summary>
    /// An operator blocks a device, also an unknown one. Its open requests end; its grants count again once it is unblocked.
    /// </summary>
    internal static Decision Block(DeviceRecord? record, DeviceId id, string? reason, Operator by, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(by);
        DeviceRecord next = Prune(record ?? new DeviceRecord { Id = id, PublicKey = "", CreatedAt = now }, now, lifetimes);
        if (next.Block is not null && next.Block.Reason == reason)
            return new Decision(DecisionOutcome.AlreadyDone, record!);
        return new Decision(DecisionOutcome.Done, next with
        {
            Block = new Block { At = next.Block?.At ?? now, By = by.Name, Reason = reason, Unknown = next.Block?.Unknown },
            Requests = Withdraw(next.Requests, by, now),
        });
    }

    /// <summary>An operator unblocks a device. All that it is approved for must be within the operator's ceiling.</summary>
    internal static Decision Unblock(
        DeviceRecord record, Operator by, ScopeImplications implications, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(by);
        DeviceRecord next = Prune(record, now, lifetimes);
        if (next.Block is null)
            return new Decision(DecisionOutcome.NotFound, record);
        return (!next.Legacy || by.MayApproveLegacy) && next.Grants.Keys.All(key => by.MayGrant(key, next.ScopesOf(key), implications))
            ? new Decision(DecisionOutcome.Done, next with { Block = null })
            : new Decision(DecisionOutcome.AboveCeiling, record);
    }

    /// <summary>
    /// An operator removes the device: only the mark that keeps rules from pairing it again is left, and a block if there is one.
    /// </summary>
    public static DeviceRecord Remove(DeviceRecord record, Operator by, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(by);
        DeviceRecord next = Prune(record, now, lifetimes);
        return next with
        {
            Grants = next.Grants.Clear(),
            Legacy = false,
            Label = null,
            LastSeenAt = null,
            Refusals = RefusalMarks.RemovedDevice(next.Refusals, now),
            Requests = Withdraw(next.Requests, by, now),
        };
    }

    /// <summary>An operator removes a device whose record cannot be read: nothing of it is kept, and it is marked as removed.</summary>
    public static DeviceRecord RemoveDamaged(DeviceId id, Operator by, DateTimeOffset now, Lifetimes lifetimes) =>
        Remove(new DeviceRecord { Id = id, PublicKey = "", CreatedAt = now }, by, now, lifetimes);

    /// <summary>
    /// An operator takes back what one rule has approved and no operator did: the device, if it holds nothing else, or else the rule's part
    /// of its grants. No rule gives it back.
    /// </summary>
    internal static Decision RemoveByRule(DeviceRecord record, string rule, Operator by, DateTimeOffset now, Lifetimes lifetimes)
    {
        DeviceRecord next = Prune(record, now, lifetimes);
        GrantKey[] keys = [.. next.Grants.Where(g => g.Value.HasPartOf(rule)).Select(g => g.Key)];
        if (keys.Length == 0)
            return new Decision(DecisionOutcome.NotFound, record);
        next = next with
        {
            Grants = keys.Aggregate(next.Grants, (grants, key) => grants[key].Without(rule) is { } left ? grants.SetItem(key, left) : grants.Remove(key)),
            Refusals = keys.Aggregate(next.Refusals, (marks, key) => RefusalMarks.Mark(marks, key, now)),
        };
        return new Decision(DecisionOutcome.Done, next.IsPaired ? next : Remove(record, by, now, lifetimes));
    }

    /// <summary>
    /// Forgets what only rules have approved in an audience for a device that was not seen since: there it is a stranger again, and a rule may pair it. Null
    /// if all is kept. An audience is kept whole if an operator approved anything in it: for a paired device, a role that a rule gave to a
    /// new device would be a role upgrade, which no rule might approve.
    /// </summary>
    /// <param name="record">The device's record.</param>
    /// <param name="unseenSince">All is kept if it was seen after this; an audience, if anything was approved in it after this or a request is on record.</param>
    /// <param name="now">The time.</param>
    /// <param name="lifetimes">How long records are kept.</param>
    internal static DeviceRecord? ForgetIdle(DeviceRecord record, DateTimeOffset unseenSince, DateTimeOffset now, Lifetimes lifetimes)
    {
        DeviceRecord next = Prune(record, now, lifetimes);
        if (next.Block is not null || next.LastSeenAt > unseenSince)
            return null;
        GrantKey[] idle =
        [
            .. next.Grants.GroupBy(g => g.Key.Audience).Where(ofAudience => !(next.Legacy && ofAudience.Key.IsDefault)
                    && ofAudience.All(g => g.Value is { RoleRule: not null, Until: null } && g.Value.ApprovedAt <= unseenSince)
                    && !next.Requests.Any(r => r.Audience == ofAudience.Key))
                .SelectMany(ofAudience => ofAudience).Select(g => g.Key),
        ];
        if (idle.Length == 0)
            return null;
        next = next with { Grants = next.Grants.RemoveRange(idle) };
        return next.IsPaired ? next : next with { Label = null, LastSeenAt = null };
    }

    /// <summary>
    /// When the store may forget the record: never while anything is approved or the device blocked; else once its requests and marks have
    /// ended.
    /// </summary>
    public static DateTimeOffset? ExpiresAt(DeviceRecord record, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (record.IsListed)
            return null;
        DateTimeOffset until = (record.Refusals?.At + lifetimes.Removed) ?? DateTimeOffset.MinValue;
        foreach (PairingRequest request in record.Requests)
        {
            DateTimeOffset readable = (request.ResolvedAt ?? request.ExpiresAt) + lifetimes.Request;
            until = readable > until ? readable : until;
        }

        return until;
    }

    /// <summary>
    /// When the store may forget a record that is written now. An empty record also stays for a short time: gateways that receive the
    /// announcement read it.
    /// </summary>
    internal static DateTimeOffset? ExpiresAt(DeviceRecord record, Lifetimes lifetimes, DateTimeOffset now) =>
        ExpiresAt(record, lifetimes) <= now ? now + lifetimes.Request : ExpiresAt(record, lifetimes);

    private static DeviceRecord Begin(DeviceRecord? record, DeviceClaim claim, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(claim);
        return record is null
            ? new DeviceRecord { Id = claim.Device, PublicKey = claim.PublicKey, CreatedAt = now, Client = claim.Client }
            : Prune(record, now, lifetimes) with { PublicKey = claim.PublicKey, Client = claim.Client }; // a device that was removed as damaged has no known key
    }

    private static Ask Renew(DeviceRecord record, PairingRequest request, DateTimeOffset now, Lifetimes lifetimes)
    {
        DateTimeOffset latest = request.CreatedAt + LongestRenewal;
        DateTimeOffset wanted = now + lifetimes.Request;
        DateTimeOffset until = wanted < latest ? wanted : latest;

        // A reconnect loop asks every few seconds; writing each time would help nobody.
        if (until - request.ExpiresAt < lifetimes.Request / 10)
            return new Ask(AskOutcome.Same, record, request);
        PairingRequest renewed = request with { ExpiresAt = until };
        return new Ask(AskOutcome.Renewed, record with { Requests = record.Requests.Replace(request, renewed) }, renewed);
    }

    /// <summary>The record at this time: requests that are no longer readable are left out, and expired ones marked.</summary>
    private static DeviceRecord Prune(DeviceRecord record, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(record);
        record = record.AsOf(now);
        ImmutableArray<PairingRequest> kept =
        [
            .. record.Requests.Select(r => r.AsOf(now)).Where(r => r.ResolvedAt is null || now < r.ResolvedAt + lifetimes.Request),
        ];
        return kept.SequenceEqual(record.Requests) ? record : record with { Requests = kept };
    }

    // A legacy device is one of the audience default; from the first decision there on the grants say what was approved.
    private static bool StaysLegacy(DeviceRecord record, Audience decided) => record.Legacy && !decided.IsDefault;

    /// <summary>The record, whose open requests that its grants cover are resolved.</summary>
    internal static DeviceRecord CoverRequests(DeviceRecord record, ScopeImplications implications, DateTimeOffset now)
    {
        ImmutableArray<PairingRequest> requests =
        [
            .. record.Requests.Select(r =>
                r.AsOf(now).Status == PairingRequestStatus.Open && record.Grants.ContainsKey(r.Key)
                    && implications.Covers(r.Role, record.ScopesOf(r.Key), r.Scopes)
                    ? r with { Status = PairingRequestStatus.Covered, ResolvedAt = now }
                    : r),
        ];
        return requests.SequenceEqual(record.Requests) ? record : record with { Requests = requests };
    }

    private static ImmutableArray<PairingRequest> Withdraw(ImmutableArray<PairingRequest> requests, Operator by, DateTimeOffset now) =>
    [
        .. requests.Select(r => r.Status != PairingRequestStatus.Open ? r : r with
        {
            Status = PairingRequestStatus.Expired,
            ResolvedBy = by.Name,
            ResolvedAt = now,
        }),
    ];
}
