using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

/// <summary>In any order of approvals a rule's part of a grant and an operator's never become each other's.</summary>
public sealed class GrantOwnersProperties
{
    private const string Operators = "";
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly string[] Scopes = ["a", "b", "c", "operator.read", "operator.write", "operator.admin"];
    private static readonly string[] Rules = ["loopback", "office"];
    private static readonly ScopeImplications Implications = ScopeImplications.Default;

    public enum Kind
    {
        RuleApproves,
        OperatorApproves,
        OperatorSets,
        OperatorImports,
        RuleIsTakenBack,
    }

    /// <summary>One approval, or a rule's taking back.</summary>
    public sealed record Step(Kind Kind, int Rule, int Scopes);

    public static class Steps
    {
        public static Arbitrary<Step> Step() => (
            from kind in Gen.Frequency(
                (5, Gen.Constant(Kind.RuleApproves)), (4, Gen.Constant(Kind.OperatorApproves)), (1, Gen.Constant(Kind.OperatorSets)),
                (1, Gen.Constant(Kind.OperatorImports)), (2, Gen.Constant(Kind.RuleIsTakenBack)))
            from rule in Gen.Choose(0, Rules.Length - 1)
            from scopes in Gen.Choose(0, (1 << Scopes.Length) - 1)
            select new Step(kind, rule, scopes)).ToArbitrary();
    }

    [Property(Arbitrary = [typeof(Steps)], MaxTest = 1000, EndSize = 30)]
    public void Each_approver_of_a_scope_is_known_and_a_rule_loses_only_its_own(Step[] steps)
    {
        DeviceClaim device = Some.Claim();
        DeviceRecord? record = null;
        var owners = new SortedDictionary<string, string>(StringComparer.Ordinal); // scope -> who; the role itself is ""
        foreach ((Step step, int i) in steps.Select((s, i) => (s, i)))
        {
            DateTimeOffset now = Start.AddMinutes(i);
            DeviceClaim claim = device.Asking("operator", [.. Scopes.Where((_, s) => (step.Scopes & (1 << s)) != 0)]);
            string rule = Rules[step.Rule];
            DeviceRecord? before = record;
            string[] asked = ["", .. claim.Scopes];
            switch (step.Kind)
            {
                case Kind.RuleApproves:
                    if (record?.Grants.ContainsKey("operator") == true && Implications.Covers("operator", record.ScopesOf("operator"), claim.Scopes))
                        continue;
                    record = Transitions.AutoApprove(record, claim, rule, Implications, now, Some.Lifetimes);
                    foreach (string scope in asked)
                        owners.TryAdd(scope, rule);
                    break;
                case Kind.OperatorApproves:
                    Ask ask = Transitions.Ask(record, claim, PairingReason.ScopeUpgrade, LocalityKind.Remote, address: null, now, Some.Lifetimes);
                    if (ask.Outcome != AskOutcome.Opened)
                        continue;
                    record = Transitions.Approve(ask.Next, ask.Request!.Id, new GrantTerms(), Some.Operator, Implications, now, Some.Lifetimes).Record;
                    foreach (string scope in asked)
                        owners[scope] = Operators;
                    break;
                case Kind.OperatorSets when record?.IsPaired == true:
                    record = Transitions.SetGrant(record, "operator".InDefault(), new GrantTerms(claim.Scopes), Some.Operator, Implications, now, Some.Lifetimes).Record;
                    owners.Clear();
                    foreach (string scope in asked)
                        owners[scope] = Operators;
                    break;
                case Kind.OperatorImports when record is null or { Refusals: null }:
                    var imported = new ImportedDevice(
                        device.Device, device.PublicKey, System.Collections.Immutable.ImmutableSortedDictionary<GrantKey, GrantTerms>.Empty.Add("operator", new GrantTerms(claim.Scopes)));
                    ScopeSet own = record?.Grants.GetValueOrDefault("operator")?.OperatorScopes ?? ScopeSet.Empty;
                    record = DeviceImport.Apply(record, imported, Some.Operator, Implications, now).Next ?? record;
                    owners[""] = Operators;
                    foreach (string scope in Implications.Covers("operator", own, claim.Scopes) ? own : claim.Scopes)
                        owners[scope] = Operators;
                    break;
                case Kind.RuleIsTakenBack when record is not null:
                    Decision decision = Transitions.RemoveByRule(record, rule, Some.Operator, now, Some.Lifetimes);
                    (decision.Outcome == DecisionOutcome.Done).ShouldBe(owners.ContainsValue(rule));
                    foreach (string scope in owners.Keys.Where(s => owners[s] == rule).ToArray())
                        owners.Remove(scope);
                    if (owners.Count > 0 && owners.TryAdd("", owners.Values.First()))
                        owners[""] = owners.Values.Order(StringComparer.Ordinal).First(); // who was let into a scope was let into its role
                    if (decision.Outcome == DecisionOutcome.Done)
                        decision.Record.Refusals!.Covers("operator").ShouldBeTrue("no rule gives it back");
                    record = decision.Record;
                    break;
                default:
                    continue;
            }

            Grant? grant = record?.Grants.GetValueOrDefault("operator");
            Describe(grant).ShouldBe(string.Join(' ', owners.Select(o => $"{o.Key}={o.Value}")), $"after {step} on {Describe(before?.Grants.GetValueOrDefault("operator"))}");
            if (record is not null)
                (Transitions.ForgetIdle(record, DateTimeOffset.MaxValue, now.AddHours(1), Some.Lifetimes) is null).ShouldBe(owners.Count == 0 || owners.ContainsValue(Operators));
        }
    }

    private static string Describe(Grant? grant)
    {
        if (grant is null)
            return "";
        var owners = new SortedDictionary<string, string>(StringComparer.Ordinal) { [""] = grant.RoleRule ?? Operators };
        foreach (string scope in grant.OperatorScopes)
            owners.Add(scope, Operators);
        foreach ((string rule, ScopeSet scopes) in grant.RuleScopes)
        {
            foreach (string scope in scopes)
                owners.Add(scope, rule);
        }

        grant.Scopes!.ShouldBe(owners.Keys.Where(s => s.Length > 0));
        return string.Join(' ', owners.Select(o => $"{o.Key}={o.Value}"));
    }
}
