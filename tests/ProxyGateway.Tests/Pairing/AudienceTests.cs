using System.Collections.Immutable;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using static ProxyGateway.Tests.Pairing.PolicyCases;

namespace ProxyGateway.Tests.Pairing;

/// <summary>Names of audiences, and each place where a role is looked up: the same role of another audience is another.</summary>
public sealed class AudienceTests
{
    private const string Other = "agent-2";
    private static readonly DateTimeOffset Start = new(2026, 12, 1, 10, 0, 0, TimeSpan.Zero);
    private static readonly PairingPolicy NothingSilent = new() { AutoApprove = [] };
    private static readonly ScopeImplications Implications = ScopeImplications.Default;
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");

    [Theory]
    [InlineData("a")]
    [InlineData("0")]
    [InlineData("agent-2")]
    [InlineData("agent_2.eu")]
    [InlineData("default")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123")]
    public void A_name_is_read_and_written_as_it_is(string name)
    {
        Audience.TryParse(name, out Audience audience).ShouldBeTrue();
        audience.ToString().ShouldBe(name);
        audience.IsDefault.ShouldBe(name == "default");
        Audience.Parse(name).ShouldBe(audience);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("-a")]
    [InlineData("_a")]
    [InlineData("Agent")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("a%2fb")]
    [InlineData("ä")]
    [InlineData("a\n")]
    [InlineData("01234567890123456789012345678901234567890123456789012345678901234")]
    public void Other_texts_name_none(string? name)
    {
        Audience.TryParse(name, out Audience audience).ShouldBeFalse();
        audience.ShouldBe(Audience.Default);
        Should.Throw<FormatException>(() => Audience.Parse(name!));
    }

    [Theory]
    [InlineData("operator", "default", "operator")]
    [InlineData("agent-2/operator", "agent-2", "operator")]
    [InlineData("a/b:c", "a", "b:c")]
    public void A_key_has_one_text(string text, string audience, string role)
    {
        GrantKey.TryParse(text, out GrantKey key).ShouldBeTrue();
        key.ShouldBe(new GrantKey(Audience.Parse(audience), role));
        (key.ToString(), key.Length).ShouldBe((text, text.Length));
        JsonSerializer.Deserialize<GrantKey>(JsonSerializer.Serialize(key)).ShouldBe(key);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("default/operator")]
    [InlineData("/operator")]
    [InlineData("agent-2/")]
    [InlineData("Agent/operator")]
    [InlineData("a/b/c")]
    [InlineData("a/..")]
    [InlineData("..")]
    public void Other_texts_are_no_keys(string? text)
    {
        GrantKey.TryParse(text, out _).ShouldBeFalse();
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<GrantKey>(JsonSerializer.Serialize(text)));
        if (text?.Contains('/', StringComparison.Ordinal) == true)
            Should.Throw<JsonException>(() => JsonSerializer.Deserialize<Dictionary<GrantKey, int>>($$"""{"{{text}}":1}"""));
    }

    [Fact]
    public void Keys_are_in_order_and_equal_by_content()
    {
        GrantKey[] keys = ["node".In("b"), "operator".InDefault(), "operator".In("a"), "node".In("a"), "node".InDefault(), "node".In("a")];

        GrantKeySet.Of(keys).Names().ShouldBe(["node", "operator", "a/node", "a/operator", "b/node"]);
        GrantKeySet.Of(keys).ShouldBe(GrantKeySet.Of(keys.Reverse()));
        GrantKeySet.Of(keys).GetHashCode().ShouldBe(GrantKeySet.Of(keys.Reverse()).GetHashCode());
        GrantKeySet.Of("node".In("a")).ShouldNotBe(GrantKeySet.Of("node".InDefault()));
        ("node".InDefault() < "a".In("a") && "node".In("a") <= "node".In("a") && "node".In("b") > "z".In("a") && "b".In("a") >= "a".In("a")).ShouldBeTrue();
    }

    [Fact]
    public void A_grant_in_one_audience_is_none_in_the_other()
    {
        Decide(NothingSilent, Holds("operator", "operator.admin"), Asks("operator", "operator.read").In(Other), Loopback).ShouldBe("pair not-paired");
        Decide(NothingSilent, Nothing.In(Other, "operator", "operator.admin"), Asks("operator"), Loopback).ShouldBe("pair not-paired");
        Decide(NothingSilent, Nothing.In(Other, "operator", "operator.admin"), Asks("node").In(Other), Loopback).ShouldBe("pair role-upgrade");
        Decide(NothingSilent, Nothing.In(Other, "operator", "operator.admin"), Asks("operator", "operator.read").In(Other), Elsewhere).ShouldBe("admit");
    }

    [Theory]
    [InlineData("scope-upgrade role-upgrade", "pair not-paired")]
    [InlineData("not-paired", "approve any not-paired")]
    public void A_rule_for_upgrades_lets_no_device_of_another_agent_in(string reasons, string expected)
    {
        PairingPolicy policy = With(Rule() with { Reasons = [.. reasons.Split(' ').Select(Reason)] });

        Decide(policy, Holds("operator", "operator.admin"), Asks("operator").In(Other), Elsewhere).ShouldBe(expected);
    }

    [Theory]
    [InlineData(null, true, true)]
    [InlineData("default", true, false)]
    [InlineData("agent-2", false, true)]
    [InlineData("agent-2 default", true, true)]
    [InlineData("agent-3", false, false)]
    public void A_rule_approves_in_its_audiences(string? audiences, bool inDefault, bool inOther)
    {
        PairingPolicy policy = With(Rule() with { Audiences = audiences is null ? null : [.. audiences.Split(' ').Select(Audience.Parse)] });

        Decide(policy, record: null, Asks("operator"), Elsewhere).StartsWith("approve", StringComparison.Ordinal).ShouldBe(inDefault);
        Decide(policy, record: null, Asks("operator").In(Other), Elsewhere).StartsWith("approve", StringComparison.Ordinal).ShouldBe(inOther);
    }

    [Fact]
    public void A_refusal_binds_rules_in_its_audience_and_a_removal_in_all()
    {
        PairingPolicy policy = With(Rule());

        Decide(policy, Refused("operator"), Asks("operator").In(Other), Elsewhere).ShouldBe("approve any not-paired");
        Decide(policy, Refused("operator"), Asks("operator"), Elsewhere).ShouldBe("pair not-paired");
        DeviceRecord removed = Nothing with { Refusals = new RefusalMarks { At = default, WholeDevice = true, Cleared = DefaultAudience.Roles("operator") } };
        Decide(policy, removed, Asks("operator"), Elsewhere).ShouldBe("approve any not-paired");
        Decide(policy, removed, Asks("operator").In(Other), Elsewhere).ShouldBe("pair not-paired");
    }

    [Theory]
    [InlineData(LegacyDevices.Upgrade, "approve any role-upgrade")]
    [InlineData(LegacyDevices.RePair, "pair not-paired")]
    public void A_legacy_device_is_one_of_the_audience_default(LegacyDevices treated, string inDefault)
    {
        PairingPolicy policy = With(Rule()) with { LegacyDevices = treated };
        DeviceRecord legacy = Nothing with { Legacy = true };

        Decide(policy, legacy, Asks("operator"), Elsewhere).ShouldBe(inDefault);
        Decide(policy, legacy, Asks("operator").In(Other), Elsewhere).ShouldBe("approve any not-paired");
        DeviceRecord withoutScopes = Nothing with { Grants = Nothing.Grants.Add("node", new Grant { ApprovedAt = default }) };
        Decide(policy, withoutScopes, Asks("operator"), Elsewhere).ShouldBe(inDefault);
        Decide(policy, withoutScopes, Asks("operator").In(Other), Elsewhere).ShouldBe("approve any not-paired");
        Decide(policy, legacy with { Grants = legacy.Grants.Add("node".In(Other), new Grant { ApprovedAt = default }) }, Asks("operator"), Elsewhere).ShouldBe(inDefault);
    }

    [Fact]
    public void A_decision_for_another_agent_leaves_a_legacy_device_legacy()
    {
        DeviceRecord legacy = Some.Paired(_claim, Start) with { Grants = ImmutableSortedDictionary<GrantKey, Grant>.Empty, Legacy = true };
        Ask ask = Transitions.Ask(legacy, _claim.In(Other), PairingReason.NotPaired, LocalityKind.Remote, null, Start, Some.Lifetimes);

        DeviceRecord approved = Transitions.Approve(ask.Next, ask.Request!.Id, new GrantTerms(), Some.Operator, Implications, Start, Some.Lifetimes).Record;
        DeviceRecord set = Set(legacy, "operator".In(Other), new GrantTerms(ScopeSet.Empty));

        (approved.Legacy, set.Legacy).ShouldBe((true, true), "else a rule would pair it anew in default");
        Set(set, "operator".InDefault(), new GrantTerms(ScopeSet.Empty)).Legacy.ShouldBeFalse();
    }

    [Fact]
    public void What_is_approved_together_is_of_the_requests_audience()
    {
        Ask ask = Transitions.Ask(Some.Paired(_claim, Start), _claim.In(Other), PairingReason.NotPaired, LocalityKind.Remote, null, Start, Some.Lifetimes);
        var terms = new GrantTerms { Also = ImmutableSortedDictionary<string, ScopeSet>.Empty.Add("node", ScopeSet.Of("camera")) };

        Decision decision = Transitions.Approve(ask.Next, ask.Request!.Id, terms, Some.Operator, Implications, Start, Some.Lifetimes);

        decision.Record.Grants.Keys.Names().ShouldBe(["operator", "agent-2/node", "agent-2/operator"]);
    }

    // A grant covers scopes that are none, if it is not asked of which agent it is.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_same_ask_at_two_agents_is_two_requests_and_a_grant_covers_one(bool hasScopes)
    {
        DeviceClaim claim = hasScopes ? _claim : _claim with { Scopes = ScopeSet.Empty };
        Ask first = Transitions.Ask(null, claim, PairingReason.NotPaired, LocalityKind.Remote, null, Start, Some.Lifetimes);
        Ask second = Transitions.Ask(first.Next, claim.In(Other), PairingReason.NotPaired, LocalityKind.Remote, null, Start, Some.Lifetimes);

        second.Outcome.ShouldBe(AskOutcome.Opened);
        DeviceRecord granted = Transitions.AutoApprove(second.Next, claim, "any", Implications, Start, Some.Lifetimes);
        granted.Requests.Select(r => (r.Key.ToString(), r.Status)).ShouldBe(
            [("operator", PairingRequestStatus.Covered), ("agent-2/operator", PairingRequestStatus.Open)]);
    }

    [Theory]
    [InlineData(null, null, "operator", true)]
    [InlineData("default", null, "operator", true)]
    [InlineData("default", null, "agent-2/operator", false)]
    [InlineData("agent-2", "operator", "agent-2/operator", true)]
    [InlineData("agent-2", "operator", "operator", false)]
    [InlineData("agent-2", "node", "agent-2/operator", false)]
    [InlineData(null, "operator", "agent-2/operator", true)]
    public void A_ceiling_bounds_audiences_and_roles(string? audiences, string? upTo, string key, bool may)
    {
        var by = new Operator("ops", upTo is null ? null : ImmutableDictionary<string, ScopeSet>.Empty.Add(upTo, ScopeSet.Empty))
        {
            Audiences = audiences is null ? null : [Audience.Parse(audiences)],
        };
        GrantKey.TryParse(key, out GrantKey parsed).ShouldBeTrue();

        by.MayGrant(parsed, ScopeSet.Empty, Implications).ShouldBe(may);
        DeviceRecord blocked = Nothing with { Grants = Nothing.Grants.Add(parsed, new Grant { Scopes = ScopeSet.Empty, ApprovedAt = Start }), Block = new Block { At = Start, By = "ops" } };
        Transitions.Unblock(blocked, by, Implications, Start, Some.Lifetimes).Outcome.ShouldBe(may ? DecisionOutcome.Done : DecisionOutcome.AboveCeiling);
        ImportedDevice imported = new(_claim.Device, _claim.PublicKey, ImmutableSortedDictionary<GrantKey, GrantTerms>.Empty.Add(parsed, new GrantTerms(ScopeSet.Empty)));
        DeviceImport.Apply(null, imported, by, Implications, Start).Outcome.ShouldBe(may ? ImportOutcome.Added : ImportOutcome.AboveCeiling);
        DeviceImport.Apply(null, imported with { Grants = imported.Grants.Clear(), Legacy = true }, by, Implications, Start).Outcome
            .ShouldBe(upTo is null && audiences is null or "default" ? ImportOutcome.Added : ImportOutcome.AboveCeiling);
    }

    [Fact]
    public void An_import_merges_in_its_audience_and_a_refusal_of_another_does_not_stop_it()
    {
        DeviceRecord held = Some.Paired(_claim, Start) with { Refusals = new RefusalMarks { At = Start, Roles = DefaultAudience.Roles("node") } };
        ImportedDevice device = new(_claim.Device, _claim.PublicKey, ImmutableSortedDictionary<GrantKey, GrantTerms>.Empty.Add("node".In(Other), new GrantTerms(ScopeSet.Empty)));

        (ImportOutcome outcome, DeviceRecord? next) = DeviceImport.Apply(held, device, Some.Operator, Implications, Start);

        outcome.ShouldBe(ImportOutcome.Extended);
        next!.Grants.Keys.Names().ShouldBe(["operator", "agent-2/node"]);
        next.Grants.Of("operator").ShouldBe(held.Grants.Of("operator"));
        DeviceImport.Apply(held, device with { Grants = device.Grants.Clear().Add("node", new GrantTerms(ScopeSet.Empty)) }, Some.Operator, Implications, Start)
            .Outcome.ShouldBe(ImportOutcome.RefusedBefore);
    }

    [Fact]
    public void What_a_rule_approved_is_taken_back_in_every_audience()
    {
        DeviceRecord record = Transitions.AutoApprove(Some.Paired(_claim, Start), _claim.In(Other), "any", Implications, Start, Some.Lifetimes);

        DeviceRecord left = Transitions.RemoveByRule(record, "any", Some.Operator, Start, Some.Lifetimes).Record;

        left.Grants.Keys.Names().ShouldBe(["operator"]);
        left.Refusals!.Roles.Names().ShouldBe(["agent-2/operator"]);
    }

    [Theory]
    [InlineData(false, false, "", true)]
    [InlineData(true, false, "operator", false)]
    [InlineData(true, true, "agent-2/operator operator", false)]
    public void An_idle_device_is_forgotten_where_only_rules_approved_it(bool byOperator, bool asks, string left, bool isWhole)
    {
        DeviceRecord record = byOperator ? Some.Paired(_claim, Start) : Transitions.AutoApprove(null, _claim, "any", Implications, Start, Some.Lifetimes);
        record = Transitions.AutoApprove(record, _claim.In(Other), "any", Implications, Start, Some.Lifetimes) with { Label = "Anna's" };
        DateTimeOffset later = Start.AddDays(30);
        if (asks)
            record = Transitions.Ask(record, _claim.Asking("node").In(Other), PairingReason.RoleUpgrade, LocalityKind.Remote, null, later, Some.Lifetimes).Next;

        DeviceRecord? forgotten = Transitions.ForgetIdle(record, later.AddDays(-1), later, Some.Lifetimes);

        (forgotten ?? record).Grants.Keys.Names().Order(StringComparer.Ordinal).ShouldBe(left.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        ((forgotten ?? record).Label is null).ShouldBe(isWhole);
        (forgotten is null).ShouldBe(asks);
        Transitions.ForgetIdle(record with { LastSeenAt = later }, later.AddDays(-1), later, Some.Lifetimes).ShouldBeNull();
    }

    [Fact]
    public void A_request_to_one_agent_keeps_no_idle_grant_at_another()
    {
        DeviceRecord record = Transitions.AutoApprove(null, _claim, "any", Implications, Start, Some.Lifetimes);
        DateTimeOffset later = Start.AddDays(30);
        record = Transitions.Ask(record, _claim.In(Other), PairingReason.NotPaired, LocalityKind.Remote, null, later, Some.Lifetimes).Next;

        Transitions.ForgetIdle(record, later.AddDays(-1), later, Some.Lifetimes).ShouldNotBeNull().Grants.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("default", false)]
    [InlineData(Other, true)]
    public void A_device_is_imported_as_legacy_unless_it_is_paired_in_default(string pairedIn, bool becomesLegacy)
    {
        DeviceRecord paired = Nothing with { Id = _claim.Device, PublicKey = _claim.PublicKey, Grants = Nothing.Grants.Add(new GrantKey(Audience.Parse(pairedIn), "node"), new Grant { Scopes = ScopeSet.Empty, ApprovedAt = Start }) };
        var imported = new ImportedDevice(_claim.Device, _claim.PublicKey, ImmutableSortedDictionary<GrantKey, GrantTerms>.Empty) { Legacy = true };

        DeviceImport.Apply(paired, imported, Some.Operator, Implications, Start).Next.ShouldBe(becomesLegacy ? paired with { Legacy = true } : null);
    }

    [Fact]
    public void Rules_enlarge_a_record_in_all_audiences_together_up_to_the_same_bound()
    {
        DeviceRecord record = Enumerable.Range(0, RuleBounds.Roles).Aggregate(Nothing, (r, i) => r.In($"agent-{i}", "operator"));

        RuleBounds.Allow(record, Asks("operator").In("agent-0")).ShouldBeTrue();
        RuleBounds.Allow(record, Asks("operator").In("agent-99")).ShouldBeFalse();
        RuleBounds.SizeOf("operator".In(Other)).ShouldBe("\"agent-2/operator\",".Length);
    }

    private static DeviceRecord Set(DeviceRecord record, GrantKey key, GrantTerms? terms) =>
        Transitions.SetGrant(record, key, terms, Some.Operator, Implications, Start, Some.Lifetimes).Record;

    private static AutoApproveRule Rule() => new() { Name = "any", FromAny = true, Reasons = [.. Enum.GetValues<PairingReason>()] };

    private static PairingPolicy With(AutoApproveRule rule) => new() { AutoApprove = [rule] };

    private static PairingReason Reason(string name) => PairingReasonNames.TryParse(name, out PairingReason reason) ? reason : throw new FormatException(name);
}
