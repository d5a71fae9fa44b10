using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.Tests.Registry;

/// <summary>
/// Being let in to one agent says nothing about another: whatever happens in one audience, each decision in the other is the same as if only the other
/// existed. Removals, blocks and unblocks are of the whole device.
/// </summary>
public sealed class AudienceProperties
{
    private static readonly DateTimeOffset Start = new(2026, 12, 1, 10, 0, 0, TimeSpan.Zero);
    private static readonly Audience[] Audiences = [Audience.Default, Audience.Parse("agent-2")];
    private static readonly string[] Roles = ["operator", "node"];
    private static readonly string[] Scopes = ["operator.read", "operator.write"];
    private static readonly Locality Here = new(IsLoopback: true);
    private static readonly Locality Elsewhere = new(IsLoopback: false);
    private static readonly ScopeImplications Implications = ScopeImplications.Default;

    public sealed record Step(Kind Kind, int Audience, int Role, int Scope, int Request, int Seconds)
    {
        public bool IsGlobal => Kind is Kind.Remove or Kind.Block or Kind.Unblock;
    }

    public enum Kind
    {
        Connect,
        ConnectFromElsewhere,
        Approve,
        ApprovePart,
        ApproveAlso,
        Reject,
        SetGrant,
        SetEnd,
        TakeGrant,
        Import,
        Remove,
        Block,
        Unblock,
    }

    public sealed record Case(Step[] Steps, bool Legacy, bool RePair);

    public static class Cases
    {
        private static readonly Gen<Step> Step =
            from kind in Gen.Frequency(
                (5, Gen.Constant(Kind.Connect)), (6, Gen.Constant(Kind.ConnectFromElsewhere)), (3, Gen.Constant(Kind.Approve)), (1, Gen.Constant(Kind.ApprovePart)),
                (2, Gen.Constant(Kind.ApproveAlso)), (2, Gen.Constant(Kind.Reject)), (2, Gen.Constant(Kind.SetGrant)), (1, Gen.Constant(Kind.SetEnd)),
                (2, Gen.Constant(Kind.TakeGrant)), (1, Gen.Constant(Kind.Import)), (1, Gen.Constant(Kind.Remove)), (1, Gen.Constant(Kind.Block)), (1, Gen.Constant(Kind.Unblock)))
            from audience in Gen.Choose(0, 1)
            from role in Gen.Choose(0, 1)
            from scope in Gen.Choose(0, 1)
            from request in Gen.Choose(0, 3)
            from seconds in Gen.Frequency((6, Gen.Choose(0, 60)), (1, Gen.Choose(200, 700)))
            select new Step(kind, audience, role, scope, request, seconds);

        public static Arbitrary<Case> Case() => (
            from steps in Step.ArrayOf()
            from legacy in Gen.Elements(false, true)
            from rePair in Gen.Elements(false, true)
            select new Case(steps, legacy, rePair)).ToArbitrary();
    }

    [Property(Arbitrary = [typeof(Cases)], MaxTest = 150, EndSize = 40)]
    public void Each_decision_in_an_audience_is_as_if_there_were_no_other(Case c)
    {
        DeviceClaim device = Some.Claim();
        PairingPolicy policy = Policy(c.RePair);
        DeviceRecord? both = c.Legacy ? Legacy(device) : null;
        DeviceRecord?[] alone = [both, null];
        DateTimeOffset now = Start;
        foreach (Step step in c.Steps)
        {
            now = now.AddSeconds(step.Seconds);
            DeviceClaim claim = device.Asking(Roles[step.Role], Scopes[step.Scope]) with { Audience = Audiences[step.Audience] };
            if (step.IsGlobal)
            {
                both = ForAll(both, step, device, now);
                for (int i = 0; i < alone.Length; i++)
                    alone[i] = ForAll(alone[i], step, device, now);
            }
            else if (step.Kind is not (Kind.SetGrant or Kind.SetEnd or Kind.TakeGrant) || alone[step.Audience]?.AsOf(now).IsPaired == true) // else it depends on the whole device
            {
                both = Happen(both, step, claim, policy, now);
                alone[step.Audience] = Happen(alone[step.Audience], step, claim, policy, now);
            }

            ShouldDecideAlike(policy, both, alone, device, now, step);
            ShouldBeReadAsWritten(both, device);
        }
    }

    [Property(Arbitrary = [typeof(Cases)], MaxTest = 100, EndSize = 40)]
    public void A_session_of_one_audience_ends_by_no_decision_about_another(Case c)
    {
        DeviceClaim device = Some.Claim("operator", "operator.read");
        PairingPolicy policy = Policy(rePair: false);
        DeviceRecord? record = Some.Paired(device, Start);
        var table = new SessionTable(new DeviceRegistry(null!), new Settings { Current = new DeviceAuthOptions { Policy = policy } }, TimeProvider.System);
        using DeviceSession session = table.TryEnter(device, Some.Loopback, limit: 1)!;
        session.TryAdmit(record, Start).ShouldBeTrue();
        foreach (Step step in c.Steps.Where(s => !s.IsGlobal))
        {
            DeviceClaim claim = device.Asking(Roles[step.Role], Scopes[step.Scope]).In("agent-2");
            record = Happen(record, step with { Audience = 1 }, claim, policy, Start);
            session.Recheck(record, Start, policy);
            session.Closing.ShouldBeNull($"after {step}");
        }
    }

    private static void ShouldDecideAlike(PairingPolicy policy, DeviceRecord? both, DeviceRecord?[] alone, DeviceClaim device, DateTimeOffset now, Step after)
    {
        foreach (int audience in (int[])[0, 1])
        {
            foreach (string role in Roles)
            {
                foreach (string scope in Scopes)
                {
                    DeviceClaim claim = device.Asking(role, scope) with { Audience = Audiences[audience] };
                    foreach (Locality place in (Locality[])[Here, Elsewhere])
                        policy.Decide(both?.AsOf(now), claim, place).ShouldBe(policy.Decide(alone[audience]?.AsOf(now), claim, place), $"{claim.Key} after {after}");
                }
            }
        }
    }

    private static void ShouldBeReadAsWritten(DeviceRecord? record, DeviceClaim device)
    {
        if (record is null)
            return;
        byte[] document = DeviceDocument.Serialize(record);
        DeviceRecord read = DeviceDocument.Deserialize(document, device.Device, record.Version);
        DeviceDocument.Serialize(read).ShouldBe(document);
        string text = System.Text.Encoding.UTF8.GetString(document);
        text.StartsWith("{\"format\":2,", StringComparison.Ordinal).ShouldBe(text.Contains("agent-2", StringComparison.Ordinal), "an older gateway must not take one audience for another");
    }

    private static PairingPolicy Policy(bool rePair) => new()
    {
        AutoApprove =
        [
            .. PairingPolicy.Default.AutoApprove,
            new AutoApproveRule
            {
                Name = "agents", FromAny = true, Reasons = [.. Enum.GetValues<PairingReason>()], Audiences = [Audiences[1]],
                UpTo = ImmutableDictionary<string, ScopeSet>.Empty.Add("node", ScopeSet.Of("operator.read")),
            },
        ],
        LegacyDevices = rePair ? LegacyDevices.RePair : LegacyDevices.Upgrade,
    };

    private static DeviceRecord Legacy(DeviceClaim device) => New(device) with { Legacy = true };

    private static DeviceRecord New(DeviceClaim device) => new() { Id = device.Device, PublicKey = device.PublicKey, CreatedAt = Start };

    private static DeviceRecord ForAll(DeviceRecord? record, Step step, DeviceClaim device, DateTimeOffset now) => step.Kind switch
    {
        Kind.Remove => Transitions.Remove(record ?? New(device), Some.Operator, now, Some.Lifetimes),
        Kind.Block => Transitions.Block(record, device.Device, "lost", Some.Operator, now, Some.Lifetimes).Record,
        _ => (record ?? New(device)) is { Block: not null } blocked ? blocked with { Block = null } : record ?? New(device),
    };

    private static DeviceRecord? Happen(DeviceRecord? record, Step step, DeviceClaim claim, PairingPolicy policy, DateTimeOffset now)
    {
        Lifetimes lifetimes = Some.Lifetimes;
        if (step.Kind is Kind.Connect or Kind.ConnectFromElsewhere)
        {
            return policy.Decide(record?.AsOf(now), claim, step.Kind == Kind.Connect ? Here : Elsewhere) switch
            {
                PairingDecision.AutoApprove approve => Transitions.AutoApprove(record, claim, approve.Rule, Implications, now, lifetimes),
                PairingDecision.RequirePairing require => Transitions.Ask(
                    record, claim, require.Reason, LocalityKind.Remote, address: null, now, lifetimes) is { Outcome: AskOutcome.Opened or AskOutcome.Renewed } ask
                    ? ask.Next
                    : record,
                _ => record,
            };
        }

        if (step.Kind == Kind.Import)
        {
            var device = new ImportedDevice(claim.Device, claim.PublicKey, ImmutableSortedDictionary<GrantKey, GrantTerms>.Empty.Add(claim.Key, new GrantTerms(claim.Scopes)));
            return DeviceImport.Apply(record, device, Some.Operator, Implications, now).Next ?? record;
        }

        if (record is null)
            return null;
        PairingRequest[] asked = [.. record.Requests.Select(r => r.AsOf(now)).Where(r => r.Audience == claim.Audience && !(r.ResolvedAt + lifetimes.Request <= now))];
        RequestId? id = asked.Length > 0 ? asked[step.Request % asked.Length].Id : null;
        GrantTerms also = new() { Also = ImmutableSortedDictionary<string, ScopeSet>.Empty.Add(claim.Role, claim.Scopes) };
        return step.Kind switch
        {
            Kind.Approve when id is { } request => Transitions.Approve(record, request, new GrantTerms(), Some.Operator, Implications, now, lifetimes).Record,
            Kind.ApprovePart when id is { } request => Transitions.Approve(record, request, new GrantTerms(claim.Scopes), Some.Operator, Implications, now, lifetimes).Record,
            Kind.ApproveAlso when id is { } request => Transitions.Approve(record, request, also, Some.Operator, Implications, now, lifetimes).Record,
            Kind.Reject when id is { } request => Transitions.Reject(record, request, Some.Operator, now, lifetimes).Record,
            Kind.SetGrant => Transitions.SetGrant(record, claim.Key, new GrantTerms(claim.Scopes), Some.Operator, Implications, now, lifetimes).Record,
            Kind.SetEnd => Transitions.SetGrant(
                record, claim.Key, new GrantTerms(claim.Scopes, now.AddSeconds(1 + (10 * step.Request))), Some.Operator, Implications, now, lifetimes).Record,
            Kind.TakeGrant => Transitions.SetGrant(record, claim.Key, terms: null, Some.Operator, Implications, now, lifetimes).Record,
            _ => record,
        };
    }

    private sealed class Settings : IDeviceAuthSettings
    {
        public required DeviceAuthOptions Current { get; init; }
    }
}
