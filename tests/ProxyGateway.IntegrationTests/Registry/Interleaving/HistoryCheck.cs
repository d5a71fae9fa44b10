using System.Collections.Immutable;
using System.Text;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Registry.Interleaving;

/// <summary>
/// Holds a history of one device against the pure transitions. Versions are unique, so they say by themselves which document took the place of
/// which: between two expiries the documents must form one line, in which each follows from the one before by what the gateway was asked to do.
/// </summary>
internal sealed class HistoryCheck
{
    private readonly History _history;
    private readonly DeviceId _device;
    private readonly Performance[] _performances;
    private readonly Attempt[] _attempts;
    private readonly Read[] _reads;

    // The applied swaps of substance, one after the other; another line begins where a document has expired.
    private readonly List<List<Attempt>> _lines = [];
    private readonly Dictionary<string, (int Line, int At)> _places = [];

    /// <param name="history">What happened.</param>
    /// <param name="device">The device to look at.</param>
    /// <param name="last">What is there in the end.</param>
    public HistoryCheck(History history, DeviceId device, Read last)
    {
        _history = history;
        _device = device;
        _performances = [.. history.Performances];
        _attempts = [.. _performances.SelectMany(p => p.Attempts).Where(a => a.Swap.Id == device)];
        _reads = [.. _performances.SelectMany(p => p.Reads).Where(r => r.Device == device), last];
    }

    private Lifetimes Lifetimes => _history.Rules.Lifetimes;

    private ScopeImplications Implications => _history.Rules.Policy.Implications;

    public void Check()
    {
        _attempts.Where(a => a.IsOfSubstance).Select(a => a.Swap.Next.Version).ShouldBeUnique("a version is used once");
        LineUp();
        foreach (Read read in _reads)
        {
            IsFresh(read);
        }

        foreach (Attempt attempt in _attempts)
        {
            FollowsFromTheDeed(attempt);
            GrantsNothingUnasked(attempt);
            attempt.Swap.ExpiresAt.HasValue.ShouldBe(!attempt.Swap.Next.IsListed, "what is approved or blocked never expires, and nothing else stays for good");
        }

        foreach (Performance performance in _performances.Where(p => p.Acknowledged is not null))
        {
            int changes = performance.Attempts.Count(a => a is { IsOfSubstance: true, Result: SwapResult.Swapped });
            changes.ShouldBe(performance.Acknowledged == true ? 1 : 0, $"what is acknowledged is written, once: {performance.Operation}");
        }
    }

    private void LineUp()
    {
        Dictionary<string, Attempt> byVersion = _attempts.Where(a => a.IsOfSubstance).ToDictionary(a => a.Swap.Next.Version);

        // What a gateway never heard of has happened if somebody read it.
        var applied = byVersion.Values.Where(a => a.Result == SwapResult.Swapped).ToHashSet();
        foreach (Read read in _reads.Where(r => r.Record is not null))
        {
            byVersion.TryGetValue(read.Record!.Version, out Attempt? source).ShouldBeTrue("every document was written by somebody");
            source!.Result.ShouldBeOneOf(SwapResult.Swapped, null);
            applied.Add(source);
        }

        ILookup<string, Attempt> successors = applied.ToLookup(a => a.Swap.Previous?.Version ?? "");
        foreach (Attempt start in successors[""])
        {
            var line = new List<Attempt>();
            for (Attempt? next = start; next is not null; next = successors[next.Swap.Next.Version].SingleOrDefault())
            {
                _places[next.Swap.Next.Version] = (_lines.Count, line.Count);
                line.Add(next);
                successors[next.Swap.Next.Version].Count().ShouldBeLessThan(2, "two swaps of one document succeeded: one of them is lost");
            }

            foreach (List<Attempt> other in _lines)
                (MayBeGone(other, start.Latest) || MayBeGone(line, other[0].Latest)).ShouldBeTrue("a device that is on record was taken for a new one");
            _lines.Add(line);
        }

        applied.ShouldAllBe(a => _places.ContainsKey(a.Swap.Next.Version), "a document took the place of one that was never there");
    }

    /// <summary>Whatever was acknowledged before a read began, it saw. So nobody is admitted by what was removed, or sees less than was approved.</summary>
    private void IsFresh(Read read)
    {
        (int line, int at) = read.Record is { } record ? _places[record.Version] : (-1, 0);
        foreach (Attempt earlier in _attempts.Where(a => a is { IsOfSubstance: true, Result: SwapResult.Swapped } && a.End < read.Start))
        {
            (int earlierLine, int earlierAt) = _places[earlier.Swap.Next.Version];
            if (line == earlierLine)
                at.ShouldBeGreaterThanOrEqualTo(earlierAt, "an older document is back");
            else
                MayBeGone(_lines[earlierLine], read.Now).ShouldBeTrue("a document is lost");
        }
    }

    private bool MayBeGone(List<Attempt> line, DateTimeOffset now) => _attempts.Any(a =>
        a.Swap.Next.Version == line[^1].Swap.Next.Version && a.Result is SwapResult.Swapped or null && a.Swap.ExpiresAt <= now);

    private void FollowsFromTheDeed(Attempt attempt)
    {
        (DeviceSwap swap, Read read) = (attempt.Swap, attempt.Read);
        swap.Previous?.Version.ShouldBe(read.Record?.Version);
        if (read.Record is { } record)
        {
            Attempt source = _lines[_places[record.Version].Line][_places[record.Version].At];
            Text(Timeless(record)).ShouldBe(Text(Timeless(source.Swap.Next)), "what is read is what was written");
        }

        if (attempt.By.Operation.Kind != OperationKind.Connect && swap.Previous is { } same && Text(same) == Text(swap.Next))
            return; // an operator repeats what was done before; nothing changes, but it is confirmed again

        DeviceRecord expected = Expected(attempt.By, read).ShouldNotBeNull($"no transition writes here: {attempt.By.Operation}");
        ImmutableArray<PairingRequest> requests = swap.Next.Requests;
        expected = expected with
        {
            Version = swap.Next.Version,
            TakenAt = swap.Next.TakenAt, // the registry's own, as the version is
            Requests = [.. expected.Requests.Select((r, i) => read.Record?.FindRequest(r.Id) is null ? r with { Id = requests[i].Id } : r)],
        };
        Text(swap.Next).ShouldBe(Text(expected), $"the transition says otherwise: {attempt.By.Operation}");
        DateTimeOffset taken = swap.Next.TakenAt.ShouldNotBeNull();
        if (read.Record is not { } before)
            return;
        taken.ShouldBeGreaterThanOrEqualTo(before.TakenAt!.Value);
        if (before.AsOf(read.Now).Grants.Keys.Except(swap.Next.Grants.Keys).Any() || (before.Block is null && swap.Next.Block is not null))
            taken.ShouldBeGreaterThan(before.TakenAt.Value, $"something was taken: {attempt.By.Operation}");
        swap.ExpiresAt.ShouldBe(Transitions.ExpiresAt(expected, Lifetimes, read.Now));
    }

    private DeviceRecord? Expected(Performance by, Read read)
    {
        (DeviceRecord? record, DateTimeOffset now) = (read.Record, read.Now);
        if (by.Operation.Kind == OperationKind.Connect)
        {
            PairingPolicy policy = _history.Rules.Policy;
            Locality locality = by.Origin.Locality;
            return policy.Decide(record, by.Claim, locality) switch
            {
                PairingDecision.AutoApprove approve => Transitions.AutoApprove(record, by.Claim, approve.Rule, Implications, now, Lifetimes),
                PairingDecision.RequirePairing require => Transitions.Ask(
                    record, by.Claim, require.Reason, policy.Classify(locality), by.Origin.Address, now, Lifetimes).Next,
                _ => null,
            };
        }

        if (by.Operation.Kind == OperationKind.Block)
            return Transitions.Block(record, by.Claim.Device, reason: null, by.Operator, now, Lifetimes).Record;
        if (record is null)
            return null;
        Decision? decision = by.Operation.Kind switch
        {
            OperationKind.Approve => Transitions.Approve(record, by.Request!.Value, new GrantTerms(), by.Operator, Implications, now, Lifetimes),
            OperationKind.ApprovePart => Transitions.Approve(record, by.Request!.Value, new GrantTerms(by.Operation.Scopes), by.Operator, Implications, now, Lifetimes),
            OperationKind.Reject => Transitions.Reject(record, by.Request!.Value, by.Operator, now, Lifetimes),
            OperationKind.SetGrant => Transitions.SetGrant(record, by.Operation.Role.InDefault(), new GrantTerms(by.Operation.Scopes), by.Operator, Implications, now, Lifetimes),
            OperationKind.TakeGrant => Transitions.SetGrant(record, by.Operation.Role.InDefault(), terms: null, by.Operator, Implications, now, Lifetimes),
            OperationKind.Unblock => Transitions.Unblock(record, by.Operator, Implications, now, Lifetimes),
            _ => null,
        };
        if (decision is not null)
            return decision.Outcome == DecisionOutcome.Done ? decision.Record : null;
        return by.Operation.Kind == OperationKind.Remove ? Transitions.Remove(record, by.Operator, now, Lifetimes) : null;
    }

    /// <summary>Written without the transitions: a grant grows by what the device asked for and the operator or rule gave, and by nothing else.</summary>
    private void GrantsNothingUnasked(Attempt attempt)
    {
        Performance by = attempt.By;
        DeviceRecord next = attempt.Swap.Next;
        PairingRequest? request = by.Request is { } id ? _history.Told.First(t => t.Request.Id == id).Request : null;
        foreach ((GrantKey key, Grant grant) in next.Grants)
        {
            string role = key.Role;
            ScopeSet had = attempt.Swap.Previous?.ScopesOf(role) ?? ScopeSet.Empty;
            ScopeSet? given = by.Operation.Kind switch
            {
                OperationKind.Connect when role == by.Operation.Role && by.Operation.FromLoopback => by.Operation.Scopes,
                OperationKind.Approve when role == request!.Role => request.Scopes,
                OperationKind.ApprovePart when role == request!.Role && Implications.Covers(role, request.Scopes, by.Operation.Scopes) => by.Operation.Scopes,
                OperationKind.SetGrant when role == by.Operation.Role => by.Operation.Scopes,
                _ => null,
            };
            (given is not null || attempt.Swap.Previous?.Grants.ContainsKey(role) == true).ShouldBeTrue($"nobody gave {role}: {by.Operation}");
            grant.Scopes!.Except(had).Except(given ?? ScopeSet.Empty).ShouldBeEmpty($"nobody gave that: {by.Operation}");
        }
    }

    /// <summary>Without the times that move on while the version stays: the last to write one wins.</summary>
    private static DeviceRecord Timeless(DeviceRecord record) => record with
    {
        LastSeenAt = null,
        Requests = [.. record.Requests.Select(r => r.Status == PairingRequestStatus.Open ? r with { ExpiresAt = default } : r)],
    };

    private static string Text(DeviceRecord record) => Encoding.UTF8.GetString(DeviceDocument.Serialize(record));
}
