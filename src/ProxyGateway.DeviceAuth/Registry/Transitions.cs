using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>How long things stay on record.</summary>
/// <param name="Request">How long a request waits for an operator, and how long a resolved one stays readable.</param>
/// <param name="Removed">How long an operator's no is remembered for a device that holds no grant.</param>
public readonly record struct Lifetimes(TimeSpan Request, TimeSpan Removed);

/// <summary>
/// Every change that a device's record can undergo, as pure functions: record and time in, record out. A store writes what they
/// return; nobody else makes records.
/// </summary>
public static class Transitions
{
    /// <summary>How many requests of one device may be open.</summary>
    public const int MaxOpenRequestsPerDevice = 8;

    // However often a device asks again, its request does not outlive this.
    private static readonly TimeSpan LongestRenewal = TimeSpan.FromHours(1);

    /// <summary>A rule approves exactly what the claim asks for.</summary>
    public static DeviceRecord AutoApprove(
        DeviceRecord? record, Claim claim, string rule, ScopeImplications implications, DateTimeOffset now, Lifetimes lifetimes)
    {
        DeviceRecord next = Begin(record, claim, now, lifetimes);
        var grant = new Grant { Scopes = next.ScopesOf(claim.Role).Union(claim.Scopes), ApprovedAt = now, Rule = rule };
        return CoverRequests(next with { Grants = next.Grants.SetItem(claim.Role, grant) }, implications, now);
    }

    /// <summary>The device asks an operator for what no grant covers.</summary>
    public static Ask Ask(
        DeviceRecord? record, Claim claim, PairingReason reason, LocalityKind locality, string? address, DateTimeOffset now, Lifetimes lifetimes)
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
            Client = claim.Client,
            Address = address,
            Locality = locality,
            CreatedAt = now,
            ExpiresAt = now + lifetimes.Request,
        };
        return new Ask(AskOutcome.Opened, next with { Requests = next.Requests.Add(request) }, request);
    }

    /// <summary>An operator approves a request: all that it asks for, or the scopes they name.</summary>
    public static Decision Approve(
        DeviceRecord record, RequestId id, ScopeSet? scopes, Operator by, ScopeImplications implications, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(by);
        ArgumentNullException.ThrowIfNull(implications);
        DeviceRecord next = Prune(record, now, lifetimes);
        if (next.FindRequest(id) is not { } request)
            return new Decision(DecisionOutcome.NotFound, record, Request: null);

        ScopeSet granted = scopes ?? request.Scopes;
        if (!implications.Covers(request.Role, request.Scopes, granted))
            return new Decision(DecisionOutcome.WiderThanAsked, record, request);
        if (!by.MayGrant(request.Role, granted, implications))
            return new Decision(DecisionOutcome.AboveCeiling, record, request);
        if (request.Status == PairingRequestStatus.Approved && granted.Equals(request.GrantedScopes))
            return new Decision(DecisionOutcome.AlreadyDone, record, request);
        if (request.Status != PairingRequestStatus.Open)
            return new Decision(DecisionOutcome.AlreadyResolved, record, request);

        PairingRequest approved = request with
        {
            Status = PairingRequestStatus.Approved,
            GrantedScopes = granted,
            ResolvedBy = by.Name,
            ResolvedAt = now,
        };
        var grant = new Grant { Scopes = next.ScopesOf(request.Role).Union(granted), ApprovedAt = now, ApprovedBy = by.Name };
        bool inFull = implications.Covers(request.Role, grant.Scopes, request.Scopes);
        next = next with
        {
            Legacy = false, // from now on the grants say what was approved
            Grants = next.Grants.SetItem(request.Role, grant),
            Refusals = inFull ? Clear(next.Refusals, request.Role) : Mark(next.Refusals, request.Role, now),
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
            Refusals = Mark(next.Refusals, request.Role, now),
            Requests = next.Requests.Replace(request, rejected),
        };
        return new Decision(DecisionOutcome.Done, next, rejected);
    }

    /// <summary>
    /// An operator sets what a role may do; null takes the role away. Whatever the device loses by it is marked, so that no rule gives it back.
    /// An operator's ceiling bounds what they may leave granted; taking a role away leaves nothing.
    /// </summary>
    public static Decision SetGrant(
        DeviceRecord record, string role, ScopeSet? scopes, Operator by, ScopeImplications implications, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(by);
        ArgumentNullException.ThrowIfNull(implications);
        if (scopes is not null && !by.MayGrant(role, scopes, implications))
            return new Decision(DecisionOutcome.AboveCeiling, record, Request: null);

        DeviceRecord next = Prune(record, now, lifetimes);
        bool narrowed = scopes is null || !implications.Covers(role, scopes, next.ScopesOf(role));
        next = next with
        {
            Legacy = false,
            Grants = scopes is null
                ? next.Grants.Remove(role)
                : next.Grants.SetItem(role, new Grant { Scopes = scopes, ApprovedAt = now, ApprovedBy = by.Name }),
            Refusals = narrowed ? Mark(next.Refusals, role, now) : next.Refusals,
        };
        return new Decision(DecisionOutcome.Done, CoverRequests(next, implications, now), Request: null);
    }

    /// <summary>An operator removes the device: nothing is left but the mark that keeps rules from pairing it again.</summary>
    public static DeviceRecord Remove(DeviceRecord record, Operator by, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(by);
        DeviceRecord next = Prune(record, now, lifetimes);
        return next with
        {
            Grants = next.Grants.Clear(),
            Legacy = false,
            LastSeenAt = null,
            Refusals = new RefusalMarks { At = now, WholeDevice = true },
            Requests =
            [
                .. next.Requests.Select(r => r.Status != PairingRequestStatus.Open ? r : r with
                {
                    Status = PairingRequestStatus.Expired,
                    ResolvedBy = by.Name,
                    ResolvedAt = now,
                }),
            ],
        };
    }

    /// <summary>An operator removes a device whose record cannot be read: nothing of it is kept, and the mark stays all the same.</summary>
    public static DeviceRecord RemoveDamaged(DeviceId id, Operator by, DateTimeOffset now, Lifetimes lifetimes) =>
        Remove(new DeviceRecord { Id = id, PublicKey = "", CreatedAt = now }, by, now, lifetimes);

    /// <summary>When the store may forget the record: never while anything is approved; otherwise once its requests and marks are past.</summary>
    public static DateTimeOffset? ExpiresAt(DeviceRecord record, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (record.IsPaired)
            return null;
        DateTimeOffset until = record.Refusals is { } marks ? marks.At + lifetimes.Removed : DateTimeOffset.MinValue;
        foreach (PairingRequest request in record.Requests)
        {
            DateTimeOffset readable = (request.ResolvedAt ?? request.ExpiresAt) + lifetimes.Request;
            until = readable > until ? readable : until;
        }

        return until;
    }

    private static DeviceRecord Begin(DeviceRecord? record, Claim claim, DateTimeOffset now, Lifetimes lifetimes)
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

    /// <summary>The record without requests that are no longer readable, and with those marked that have expired.</summary>
    private static DeviceRecord Prune(DeviceRecord record, DateTimeOffset now, Lifetimes lifetimes)
    {
        ArgumentNullException.ThrowIfNull(record);
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

    private static RefusalMarks Mark(RefusalMarks? marks, string role, DateTimeOffset now) => (marks ?? new RefusalMarks { At = now }) with
    {
        At = now,
        Roles = ScopeSet.Of([.. marks?.Roles ?? ScopeSet.Empty, role]),
    };

    private static RefusalMarks? Clear(RefusalMarks? marks, string role)
    {
        if (marks is null)
            return null;
        RefusalMarks cleared = marks with
        {
            Roles = ScopeSet.Of(marks.Roles.Where(r => r != role)),
            Cleared = marks.WholeDevice ? ScopeSet.Of([.. marks.Cleared, role]) : ScopeSet.Empty,
        };
        return cleared is { WholeDevice: false, Roles.Count: 0 } ? null : cleared;
    }
}
