using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

/// <summary>What holds after any sequence of transitions, in any order and at any time.</summary>
public sealed class TransitionsProperties
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly string[] Roles = ["operator", "node"];
    private static readonly string[] Scopes = ["operator.read", "operator.write", "operator.admin", "camera"];
    private static readonly ScopeImplications Implications = ScopeImplications.Default;

    /// <summary>One thing that happens to a device. What does not apply to the record at hand does nothing.</summary>
    public sealed record Step(Kind Kind, int Role, int Scopes, int Request, int Seconds);

    public enum Kind
    {
        Connect,
        ConnectFromElsewhere,
        Approve,
        ApprovePart,
        Reject,
        SetGrant,
        TakeGrant,
        Remove,
        SetEnd,
        Block,
        Unblock,
    }

    public static class Steps
    {
        public static Arbitrary<Step> Step() => (
            from kind in Gen.Frequency(
                (4, Gen.Constant(Kind.Connect)), (4, Gen.Constant(Kind.ConnectFromElsewhere)), (3, Gen.Constant(Kind.Approve)),
                (1, Gen.Constant(Kind.ApprovePart)), (1, Gen.Constant(Kind.Reject)), (1, Gen.Constant(Kind.SetGrant)),
                (1, Gen.Constant(Kind.TakeGrant)), (1, Gen.Constant(Kind.Remove)), (1, Gen.Constant(Kind.SetEnd)), (1, Gen.Constant(Kind.Block)),
                (1, Gen.Constant(Kind.Unblock)))
            from role in Gen.Choose(0, Roles.Length - 1)
            from scopes in Gen.Choose(0, (1 << Scopes.Length) - 1)
            from request in Gen.Choose(0, 7)
            from seconds in Gen.Frequency((6, Gen.Choose(0, 60)), (1, Gen.Choose(200, 700)))
            select new Step(kind, role, scopes, request, seconds)).ToArbitrary();
    }

    [Property(Arbitrary = [typeof(Steps)], MaxTest = 500, EndSize = 60)]
    public void Every_granted_scope_was_approved(Step[] steps)
    {
        // Whatever was approved since the role last lost something; what follows may cover less than that, never more.
        var approved = Roles.ToDictionary(role => role, _ => ScopeSet.Empty);
        Run(steps, (before, step, after, claim) =>
        {
            foreach (string role in Roles)
            {
                ScopeSet had = before?.ScopesOf(role) ?? ScopeSet.Empty;
                ScopeSet has = after?.ScopesOf(role) ?? ScopeSet.Empty;
                ScopeSet given = step.Kind switch
                {
                    Kind.Connect when role == claim.Role => claim.Scopes,
                    Kind.Approve or Kind.ApprovePart when RequestOf(before, step) is { } request && request.Role == role => request.Scopes,
                    Kind.SetGrant or Kind.SetEnd when role == claim.Role => claim.Scopes,
                    _ => ScopeSet.Empty,
                };
                approved[role] = approved[role].Union(given);
                Implications.Covers(role, had.Union(given), has).ShouldBeTrue($"{step} took {role} from [{had}] to [{has}]");
                Implications.Covers(role, approved[role], has).ShouldBeTrue();
                if (step.Kind == Kind.Remove || (step.Kind is Kind.SetGrant or Kind.SetEnd or Kind.TakeGrant && role == claim.Role))
                    approved[role] = has;
            }
        });
    }

    [Property(Arbitrary = [typeof(Steps)], MaxTest = 500, EndSize = 60)]
    public void A_refusal_holds_until_an_operator_approves_the_whole_request(Step[] steps) => Run(steps, (before, step, after, claim) =>
    {
        foreach (string role in Roles)
        {
            bool was = before?.Refusals?.Covers(role) == true;
            bool isMarked = after?.Refusals?.Covers(role) == true;
            if (was && !isMarked)
            {
                step.Kind.ShouldBeOneOf(Kind.Approve, Kind.ApprovePart);
                PairingRequest request = RequestOf(before, step)!;
                request.Role.ShouldBe(role);
                Implications.Covers(role, after!.ScopesOf(role), request.Scopes).ShouldBeTrue();
            }

            if (was && step.Kind == Kind.Connect)
                after!.ScopesOf(role).Except(before!.ScopesOf(role)).ShouldBeEmpty("no rule approves where an operator said no");
            bool lost = !Implications.Covers(role, after?.ScopesOf(role) ?? ScopeSet.Empty, before?.ScopesOf(role) ?? ScopeSet.Empty);
            if (lost && step.Kind is not (Kind.Approve or Kind.ApprovePart)) // which clear the mark of a grant that has run out
                isMarked.ShouldBeTrue("whatever is lost is marked");
        }
    });

    [Property(Arbitrary = [typeof(Steps)], MaxTest = 500, EndSize = 60)]
    public void Requests_never_change_what_they_ask_and_are_resolved_once(Step[] steps) => Run(steps, (before, _, after, _) =>
    {
        if (after is null)
            return;
        after.Requests.Select(r => r.Id).ShouldBeUnique();
        after.Requests.Count(r => r.Status == PairingRequestStatus.Open).ShouldBeLessThanOrEqualTo(Transitions.MaxOpenRequestsPerDevice);
        foreach (PairingRequest request in after.Requests)
        {
            request.ExpiresAt.ShouldBeLessThanOrEqualTo(request.CreatedAt.AddHours(1));
            if (request.Status != PairingRequestStatus.Open)
                request.ResolvedAt.ShouldNotBeNull();
            if (before?.FindRequest(request.Id) is not { } earlier)
                continue;
            (request with
            {
                Status = earlier.Status,
                ResolvedAt = earlier.ResolvedAt,
                ResolvedBy = earlier.ResolvedBy,
                GrantedScopes = earlier.GrantedScopes,
                ExpiresAt = earlier.ExpiresAt,
            }).ShouldBe(earlier);
            request.ExpiresAt.ShouldBeGreaterThanOrEqualTo(earlier.ExpiresAt);
            if (earlier.Status != PairingRequestStatus.Open)
                request.ShouldBe(earlier);
        }
    });

    [Property(Arbitrary = [typeof(Steps)], MaxTest = 500, EndSize = 60)]
    public void The_same_ask_is_never_open_twice_and_no_open_ask_is_covered(Step[] steps) => Run(steps, (_, _, after, _) =>
    {
        if (after is null)
            return;
        PairingRequest[] open = [.. after.Requests.Where(r => r.Status == PairingRequestStatus.Open)];
        open.Select(r => $"{r.Role} {r.Scopes}").ShouldBeUnique();
        open.Any(r => after.Grants.ContainsKey(r.Role) && Implications.Covers(r.Role, after.ScopesOf(r.Role), r.Scopes)).ShouldBeFalse();
    });

    [Property(Arbitrary = [typeof(Steps)], MaxTest = 500, EndSize = 60)]
    public void Only_what_is_approved_stays_for_good_and_nothing_goes_before_its_time(Step[] steps) => Run(steps, (_, _, after, _) =>
    {
        if (after is null)
            return;
        DateTimeOffset? expiry = Transitions.ExpiresAt(after, Some.Lifetimes);
        expiry.HasValue.ShouldBe(!after.IsListed);
        if (expiry is not { } at)
            return;
        after.Requests.Any(r => (r.ResolvedAt ?? r.ExpiresAt) + Some.Lifetimes.Request > at).ShouldBeFalse();
        if (after.Refusals is { } marks)
            at.ShouldBeGreaterThanOrEqualTo(marks.At + Some.Lifetimes.Removed);
    });

    [Property(Arbitrary = [typeof(Steps)], MaxTest = 500, EndSize = 60)]
    public void A_swap_that_takes_something_away_is_known_and_no_device_causes_one(Step[] steps) => Run(steps, (before, step, after, _) =>
    {
        if (after is null || before == after)
            return;
        bool isRestriction = new DeviceSwap(before, after, ExpiresAt: null, PendingLimits.None).IsRestriction;
        bool hasRunOut = before?.Grants.Any(g => g.Value.Until is not null && !after.Grants.ContainsKey(g.Key)) == true;
        if (step.Kind is Kind.Connect or Kind.ConnectFromElsewhere && !hasRunOut)
            isRestriction.ShouldBeFalse($"{step.Kind} is not an operator's");
        if (step.Kind == Kind.Block && before?.Block is null)
            isRestriction.ShouldBeTrue("a block is a no");
        if (step.Kind is Kind.Remove or Kind.TakeGrant or Kind.Reject)
            isRestriction.ShouldBeTrue($"{step.Kind} is a no");
        if (before is not null && Roles.Any(role => before.ScopesOf(role).Except(after.ScopesOf(role)).Any()
            || (before.Grants.ContainsKey(role) && !after.Grants.ContainsKey(role))
            || (after.Refusals?.Covers(role) == true && before.Refusals?.Covers(role) != true)))
            isRestriction.ShouldBeTrue();
    });

    [Property(Arbitrary = [typeof(Steps)], MaxTest = 500, EndSize = 60)]
    public void A_blocked_device_that_asks_changes_nothing(Step[] steps) => Run(steps, (before, step, after, _) =>
    {
        if (before?.Block is null)
            return;
        if (step.Kind is Kind.Connect or Kind.ConnectFromElsewhere)
            after.ShouldBe(before);
        (after?.Block is null).ShouldBe(step.Kind == Kind.Unblock, "only who unblocks lets it in again");
        after?.Requests.ShouldNotContain(r => r.Status == PairingRequestStatus.Open && step.Kind != Kind.Unblock);
    });

    [Property(Arbitrary = [typeof(Steps)], MaxTest = 500, EndSize = 60)]
    public void A_grants_end_stays_until_an_operator_changes_it(Step[] steps) => Run(steps, (before, step, after, _) =>
    {
        foreach ((GrantKey key, Grant grant) in before?.Grants.Where(g => g.Value.Until is not null) ?? [])
        {
            Grant? now = after?.Grants.GetValueOrDefault(key);
            bool hadRunOut = now?.ApprovedAt >= grant.Until; // so that it is another grant
            if (now is not null && !hadRunOut && step.Kind is Kind.Connect or Kind.ConnectFromElsewhere or Kind.Approve or Kind.ApprovePart)
                now!.Until.ShouldBe(grant.Until, $"{step.Kind} says nothing of an end");
        }
    });

    [Property(Arbitrary = [typeof(Steps)], MaxTest = 500, EndSize = 60)]
    public void A_record_survives_writing_and_reading(Step[] steps) => Run(steps, (_, _, after, _) =>
    {
        if (after is null)
            return;
        byte[] document = DeviceDocument.Serialize(after);
        DeviceDocument.Serialize(DeviceDocument.Deserialize(document, after.Id, after.Version)).AsSpan().SequenceEqual(document).ShouldBeTrue();
    });

    /// <summary>Lets the steps happen, as <see cref="DeviceRegistry"/> would, and looks at each.</summary>
    private static void Run(Step[] steps, Action<DeviceRecord?, Step, DeviceRecord?, DeviceClaim> look)
    {
        DeviceClaim device = Some.Claim();
        DeviceRecord? record = null;
        DateTimeOffset now = Start;
        foreach (Step step in steps)
        {
            now = now.AddSeconds(step.Seconds);
            if (record is not null && Transitions.ExpiresAt(record, Some.Lifetimes) <= now)
                record = null; // as a store does
            DeviceClaim claim = device.Asking(Roles[step.Role], [.. Scopes.Where((_, i) => (step.Scopes & (1 << i)) != 0)]);
            DeviceRecord? next = Happen(record, step, claim, now);
            look(record, step, next, claim);
            record = next;
        }
    }

    private static DeviceRecord? Happen(DeviceRecord? record, Step step, DeviceClaim claim, DateTimeOffset now)
    {
        Lifetimes lifetimes = Some.Lifetimes;
        var policy = new PairingPolicy
        {
            AutoApprove = [new AutoApproveRule { Name = "loopback", FromLoopback = true, Reasons = [.. Enum.GetValues<PairingReason>()] }],
        };
        if (step.Kind is Kind.Connect or Kind.ConnectFromElsewhere)
        {
            return policy.Decide(record?.AsOf(now), claim, new Locality(IsLoopback: step.Kind == Kind.Connect)) switch
            {
                PairingDecision.AutoApprove approve => Transitions.AutoApprove(record, claim, approve.Rule, Implications, now, lifetimes),
                PairingDecision.RequirePairing require => Transitions.Ask(
                    record, claim, require.Reason, LocalityKind.Remote, address: null, now, lifetimes) is { Outcome: AskOutcome.Opened or AskOutcome.Renewed } ask
                    ? ask.Next
                    : record,
                _ => record,
            };
        }

        if (step.Kind == Kind.Block)
            return Transitions.Block(record, claim.Device, "lost", Some.Operator, now, lifetimes).Record;
        if (record is null)
            return null;
        RequestId? id = RequestOf(record, step)?.Id;
        return step.Kind switch
        {
            Kind.Approve when id is { } request => Transitions.Approve(record, request, new GrantTerms(), Some.Operator, Implications, now, lifetimes).Record,
            Kind.ApprovePart when id is { } request => Transitions.Approve(record, request, new GrantTerms(claim.Scopes), Some.Operator, Implications, now, lifetimes).Record,
            Kind.Reject when id is { } request => Transitions.Reject(record, request, Some.Operator, now, lifetimes).Record,
            Kind.SetGrant => Transitions.SetGrant(record, claim.Key, new GrantTerms(claim.Scopes), Some.Operator, Implications, now, lifetimes).Record,
            Kind.TakeGrant => Transitions.SetGrant(record, claim.Key, terms: null, Some.Operator, Implications, now, lifetimes).Record,
            Kind.SetEnd => Transitions.SetGrant(
                record, claim.Key, new GrantTerms(claim.Scopes, now.AddSeconds(1 + (10 * step.Request))), Some.Operator, Implications, now, lifetimes).Record,
            Kind.Unblock => Transitions.Unblock(record, Some.Operator, Implications, now, lifetimes).Record,
            Kind.Remove => Transitions.Remove(record, Some.Operator, now, lifetimes),
            _ => record,
        };
    }

    private static PairingRequest? RequestOf(DeviceRecord? record, Step step) =>
        record is { Requests.Length: > 0 } ? record.Requests[step.Request % record.Requests.Length] : null;
}
