using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// Every change that a device's record can undergo, as pure functions: record and time in, record out. A store writes what they
/// return; nobody else makes records.
/// </summary>
public static class Transitions
{
    /// <summary>How many requests of one device may be open.</summary>
    public const int MaxOpenRequestsPerDevice = 8;

    /// <summary>How many bytes the requests of one device may have in its document, those resolved a short time ago included.</summary>
    public const int MaxRequestBytesPerDevice = 48 * 1024;

    // However often a device asks again, its request does not outlive this.
    private static readonly TimeSpan LongestRenewal = TimeSpan.FromHours(1);

    /// <summary>A rule approves exactly what the claim asks for.</summary>
    public static DeviceRecord AutoApprove(
        DeviceRecord? record, DeviceClaim claim, string rule, ScopeImplications implications, DateTimeOffset now, Lifetimes lifetimes)
    {
        DeviceRecord next = Begin(record, claim, now, lifetimes);
        Grant grant = Grant.ByRule(next.Grants.GetValueOrDefault(claim.Role), claim.Scopes, rule, now); // what an operator has set an end to, no rule prolongs
        return CoverRequests(next with { Grants = next.Grants.SetItem(claim.Role, grant) }, implications, now);
    }

    /// <summary>The device asks an operator for what no grant covers.</summary>
    public static Ask Ask(
        DeviceRecord? record, DeviceClaim claim, PairingReason reason, LocalityKind locality, string? address, DateTimeOffset now, Lifetimes lifetimes)
    {
        DeviceRecord next = Begin(record, claim, now, lifetimes);
        PairingRequest? same = next.Requests.LastOrDefault(r => r.Asks(claim.Role, claim.Scopes)
            && r.Status is PairingRequestStatus.Open or PairingRequestStatus.Rejected);
        if (same is not null)
            return same.Status == PairingRequestStatus.Open ? Renew(record!, same, now, lifetimes) : new Ask(AskOutcome.Rejected, record!, same);
        if (next.Requests.Count(r => r.Status == PairingRequestStatus.Open) >= MaxOpenRequestsPerDevice)
            return new Ask(AskOutcome.TooMany, next, Request: null);

        var request = new PairingRequest
        {
            Id = RequestId.New(now),
            DeviceId = claim.Device,
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
    /// An operator approves a request: all that it asks for, or the scopes they name. An end that they name is one for all that the device
    /// holds in the role; without one, an end that is set already stays.
    /// </summary>
    public static Decision Approve(
        DeviceRecord record, RequestId id, GrantTerms terms, Operator by, ScopeImplications implications, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(terms);
        ArgumentNullException.ThrowIfNull(by);
        ArgumentNullException.ThrowIfNull(implications);
        DeviceRecord next = Prune(record, now, lifetimes);
        if (next.FindRequest(id) is not { } request)
            return new Decision(DecisionOutcome.NotFound, record, Request: null);

        ScopeSet granted = terms.Scopes ?? request.Scopes;
        Grant? held = next.Grants.GetValueOrDefault(request.Role);
        if (!implications.Covers(request.Role, request.Scopes, granted))
            return new Decision(DecisionOutcome.WiderThanAsked, record, request);
        if (!by.MayGrant(request.Role, granted, implications))
            return new Decision(DecisionOutcome.AboveCeiling, record, request);
        if (request.Status == PairingRequestStatus.Approved && granted.Equals(request.GrantedScopes) && (terms.Until is null || terms.Until == held?.Until))
            return new Decision(DecisionOutcome.AlreadyDone, record, request);
        if (request.Status != PairingRequestStatus.Open)
            return new Decision(DecisionOutcome.AlreadyResolved, record, request);
        if (terms.Until <= now)
            return new Decision(DecisionOutcome.UntilIsPast, record, request);
        if (terms.Until is not null && held is { Until: null }) // be it without a scope: the role itself would end
            return new Decision(DecisionOutcome.HeldWithoutEnd, record, request);
        if (terms.Until > held?.Until && !by.MayGrant(request.Role, next.ScopesOf(request.Role), implications))
            return new Decision(DecisionOutcome.AboveCeiling, record, request); // all that is held would go on for longer

        PairingRequest approved = request with
        {
            Status = PairingRequestStatus.Approved,
            GrantedScopes = granted,
            ResolvedBy = by.Name,
            ResolvedAt = now,
        };
        Grant grant = Grant.ByOperator(held, granted, by.Name, now) with { Until = terms.Until ?? held?.Until };
        bool inFull = implications.Covers(request.Role, grant.Scopes!, request.Scopes);
        next = next with
        {
            Legacy = false, // from now on the grants say what was approved
            Grants = next.Grants.SetItem(request.Role, grant),
            Refusals = inFull ? RefusalMarks.Clear(next.Refusals, request.Role) : RefusalMarks.Mark(next.Refusals, request.Role, now),
            Requests = next.Requests.Replace(request, approved),
        };
        return new Decision(DecisionOutcome.Done, CoverRequests(next, implications, now), approved);
    }

    /// <summary>An operator rejects a request. The role is marked, so that no rule approves there.</summary>
    public static Decision Reject(DeviceRecord record, RequestId id, Operator by, DateTimeOffset now, Lifetimes lifetimes)
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
            Refusals = RefusalMarks.Mark(next.Refusals, request.Role, now),
            Requests = next.Requests.Replace(request, rejected),
        };
        return new Decision(DecisionOutcome.Done, next, rejected);
    }

    /// <summary>
    /// An operator sets what a role may do; null takes the role away. Whatever the device loses by it is marked, so that no rule gives it back.
    /// An operator's ceiling bounds what they may leave granted; taking a role away leaves nothing.
    /// </summary>
    public static Decision SetGrant(
        DeviceRecord record, string role, GrantTerms? terms, Operator by, ScopeImplications implications, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(by);
        ArgumentNullException.ThrowIfNull(implications);
        DeviceRecord next = Prune(record, now, lifetimes);
        if (!next.IsPaired || (terms is null && !next.Grants.ContainsKey(role)))
            return new Decision(DecisionOutcome.NotFound, record);
        ScopeSet? scopes = terms is null ? null : terms.Scopes ?? ScopeSet.Empty;
        if (scopes is not null && !by.MayGrant(role, scopes, implications))
            return new Decision(DecisionOutcome.AboveCeiling, record);
        if (terms?.Until <= now)
            return new Decision(DecisionOutcome.UntilIsPast, record);

        bool narrowed = scopes is null || !implications.Covers(role, scopes, next.ScopesOf(role));
        next = next with
        {
            Legacy = false,
            Grants = scopes is null
                ? next.Grants.Remove(role)
                : next.Grants.SetItem(role, new Grant
                {
                    Scopes = scopes,
                    ApprovedAt = now,
                    ApprovedBy = by.Name,
                    Until = terms!.Until,
                    Unknown = next.Grants.GetValueOrDefault(role)?.Unknown,
                }),
            Refusals = narrowed ? RefusalMarks.Mark(next.Refusals, role, now) : next.Refusals,
        };
        return new Decision(DecisionOutcome.Done, CoverRequests(next, implications, now));
    }

    /// <summary>An operator gives the device a name, or takes it away.</summary>
    /// <param name="record">The device's record.</param>
    /// <param name="label">The name, safe to show; null for none.</param>
    /// <param name="now">The time.</param>
    /// <param name="lifetimes">How long things stay on record.</param>
    public static Decision SetLabel(DeviceRecord record, string? label, DateTimeOffset now, Lifetimes lifetimes)
    {
        DeviceRecord next = Prune(record, now, lifetimes);
        if (!next.IsListed)
            return new Decision(DecisionOutcome.NotFound, record);
        return next.Label == label
            ? new Decision(DecisionOutcome.AlreadyDone, record)
            : new Decision(DecisionOutcome.Done, next with { Label = label });
    }

    /// <summary>
    /// An operator blocks a device, also one that nobody has heard of. What it asks for is answered by that; what it holds, it holds again
    /// once it is let in.
    /// </summary>
    public static Decision Block(DeviceRecord? record, DeviceId id, string? reason, Operator by, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(by);
        DeviceRecord next = Prune(record ?? new DeviceRecord { Id = id, PublicKey = "", CreatedAt = now }, now, lifetimes);
        if (next.Block is { } block && block.Reason == reason)
            return new Decision(DecisionOutcome.AlreadyDone, record!);
        return new Decision(DecisionOutcome.Done, next with
        {
            Block = new Block { At = next.Block?.At ?? now, By = by.Name, Reason = reason, Unknown = next.Block?.Unknown },
            Requests = Withdraw(next.Requests, by, now),
        });
    }

    /// <summary>An operator lets a blocked device in again, as far as its grants go: they must be within the operator's ceiling.</summary>
    public static Decision Unblock(DeviceRecord record, Operator by, ScopeImplications implications, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(by);
        DeviceRecord next = Prune(record, now, lifetimes);
        if (next.Block is null)
            return new Decision(DecisionOutcome.NotFound, record);
        return next.Grants.Keys.All(role => by.MayGrant(role, next.ScopesOf(role), implications))
            ? new Decision(DecisionOutcome.Done, next with { Block = null })
            : new Decision(DecisionOutcome.AboveCeiling, record);
    }

    /// <summary>An operator removes the device: nothing is left but the mark that keeps rules from pairing it again, and a block if there is one.</summary>
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

    /// <summary>An operator removes a device whose record cannot be read: nothing of it is kept, and the mark stays all the same.</summary>
    public static DeviceRecord RemoveDamaged(DeviceId id, Operator by, DateTimeOffset now, Lifetimes lifetimes) =>
        Remove(new DeviceRecord { Id = id, PublicKey = "", CreatedAt = now }, by, now, lifetimes);

    /// <summary>
    /// An operator takes back what one rule has approved and no operator did: the device, if that is all it holds, and else the rule's part of
    /// its grants. No rule gives it back.
    /// </summary>
    public static Decision RemoveByRule(DeviceRecord record, string rule, Operator by, DateTimeOffset now, Lifetimes lifetimes)
    {
        DeviceRecord next = Prune(record, now, lifetimes);
        string[] roles = [.. next.Grants.Where(g => g.Value.HasPartOf(rule)).Select(g => g.Key)];
        if (roles.Length == 0)
            return new Decision(DecisionOutcome.NotFound, record);
        next = next with
        {
            Grants = roles.Aggregate(next.Grants, (grants, role) => grants[role].Without(rule) is { } left ? grants.SetItem(role, left) : grants.Remove(role)),
            Refusals = roles.Aggregate(next.Refusals, (marks, role) => RefusalMarks.Mark(marks, role, now)),
        };
        return new Decision(DecisionOutcome.Done, next.IsPaired ? next : Remove(record, by, now, lifetimes));
    }

    /// <summary>
    /// Forgets a device that only rules have approved and that was not seen since: it becomes the stranger that it was, and a rule may pair
    /// it again. Null if it is to be kept, as it is whole if anything of it is an operator's: while it is paired, what a rule gave it as a new
    /// device would be a role upgrade, and no rule might give it back.
    /// </summary>
    /// <param name="record">The device's record.</param>
    /// <param name="unseenSince">It is kept if it was seen, approved or asked for anything after this.</param>
    /// <param name="now">The time.</param>
    /// <param name="lifetimes">How long things stay on record.</param>
    public static DeviceRecord? ForgetIdle(DeviceRecord record, DateTimeOffset unseenSince, DateTimeOffset now, Lifetimes lifetimes)
    {
        DeviceRecord next = Prune(record, now, lifetimes);
        bool isByRules = !next.Grants.IsEmpty && !next.Legacy && next.Block is null && next.Grants.Values.All(g => g is { RoleRule: not null, Until: null });
        bool isIdle = (next.LastSeenAt ?? DateTimeOffset.MinValue) <= unseenSince
            && next.Grants.Values.All(g => g.ApprovedAt <= unseenSince) && next.Requests.IsEmpty;
        return isByRules && isIdle ? next with { Grants = next.Grants.Clear(), Label = null, LastSeenAt = null } : null;
    }

    /// <summary>When the store may forget the record: never while anything is approved or the device blocked; otherwise once its requests and marks are past.</summary>
    public static DateTimeOffset? ExpiresAt(DeviceRecord record, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (record.IsListed)
            return null;
        DateTimeOffset until = record.Refusals is { } marks ? marks.At + lifetimes.Removed : DateTimeOffset.MinValue;
        foreach (PairingRequest request in record.Requests)
        {
            DateTimeOffset readable = (request.ResolvedAt ?? request.ExpiresAt) + lifetimes.Request;
            until = readable > until ? readable : until;
        }

        return until;
    }

    /// <summary>
    /// When the store may forget a record that is written now. One of which nothing is left stays for a moment all the same: whoever hears of the
    /// change reads it.
    /// </summary>
    public static DateTimeOffset? ExpiresAt(DeviceRecord record, Lifetimes lifetimes, DateTimeOffset now) =>
        ExpiresAt(record, lifetimes) is { } at && at <= now ? now + lifetimes.Request : ExpiresAt(record, lifetimes);

    private static DeviceRecord Begin(DeviceRecord? record, DeviceClaim claim, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(claim);
        return record is null
            ? new DeviceRecord { Id = claim.Device, PublicKey = claim.PublicKey, CreatedAt = now, Client = claim.Client }
            : Prune(record, now, lifetimes) with { PublicKey = claim.PublicKey, Client = claim.Client }; // no key is known of a device that was removed as damaged
    }

    private static Ask Renew(DeviceRecord record, PairingRequest request, DateTimeOffset now, Lifetimes lifetimes)
    {
        DateTimeOffset latest = request.CreatedAt + LongestRenewal;
        DateTimeOffset wanted = now + lifetimes.Request;
        DateTimeOffset until = wanted < latest ? wanted : latest;

        // A reconnect loop asks every few seconds; a write each time would help nobody.
        if (until - request.ExpiresAt < lifetimes.Request / 10)
            return new Ask(AskOutcome.Same, record, request);
        PairingRequest renewed = request with { ExpiresAt = until };
        return new Ask(AskOutcome.Renewed, record with { Requests = record.Requests.Replace(request, renewed) }, renewed);
    }

    /// <summary>The record as of now, without requests that are no longer readable, and with those marked that have expired.</summary>
    private static DeviceRecord Prune(DeviceRecord record, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(record);
        record = record.AsOf(now);
        ImmutableArray<PairingRequest> kept =
        [
            .. record.Requests.Select(r => r.AsOf(now)).Where(r => r.ResolvedAt is not { } resolved || now < resolved + lifetimes.Request),
        ];
        return kept.SequenceEqual(record.Requests) ? record : record with { Requests = kept };
    }

    private static DeviceRecord CoverRequests(DeviceRecord record, ScopeImplications implications, DateTimeOffset now) =>
        record with
        {
            Requests =
            [
                .. record.Requests.Select(r =>
                    r.Status == PairingRequestStatus.Open && record.Grants.ContainsKey(r.Role)
                        && implications.Covers(r.Role, record.ScopesOf(r.Role), r.Scopes)
                        ? r with { Status = PairingRequestStatus.Covered, ResolvedAt = now }
                        : r),
            ],
        };

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
