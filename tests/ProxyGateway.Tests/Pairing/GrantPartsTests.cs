using System.Collections.Immutable;
using System.Text;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Pairing;

/// <summary>Who approved which part of a grant, and what is left when a rule's part is taken back.</summary>
public sealed class GrantPartsTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Later = Start.AddHours(1);

    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");

    [Fact]
    public void After_a_rules_upgrade_the_operators_scopes_stay_the_operators()
    {
        Grant approved = Some.Paired(_claim, Start).Grants.Of("operator");

        Grant widened = Grant.ByRule(approved, Scopes("operator.read operator.write"), "loopback", Later);

        (widened.Rule, widened.ApprovedBy, widened.ApprovedAt).ShouldBe(("loopback", null, Later), "the last approval was the rule's");
        widened.Scopes.ShouldBe(Scopes("operator.read operator.write"));
        Shares(widened).ShouldBe("role: operator, operator: operator.read, loopback: operator.write");
        widened.Without("loopback").ShouldBe(approved);
        widened.Without("office").ShouldBeSameAs(widened);
    }

    [Fact]
    public void After_an_operators_approval_the_other_scopes_stay_the_rules()
    {
        Grant byRule = Grant.ByRule(held: null, Scopes("operator.read a"), "loopback", Start);

        Grant approved = Grant.ByOperator(byRule, Scopes("a b"), "ops", Later);

        (approved.Rule, approved.ApprovedBy, approved.ApprovedAt).ShouldBe((null, "ops", Later));
        Shares(approved).ShouldBe("role: operator, operator: a b, loopback: operator.read");
        (approved.Parts!.ApprovedBy, approved.Parts.ApprovedAt).ShouldBe((null, null), "the grant says it already");
        approved.Without("loopback").ShouldBe(new Grant { Scopes = Scopes("a b"), ApprovedAt = Later, ApprovedBy = "ops" });
    }

    [Fact]
    public void A_grant_of_one_approver_is_written_without_parts()
    {
        Grant byRule = Grant.ByRule(Grant.ByRule(held: null, Scopes("a"), "loopback", Start), Scopes("a b"), "loopback", Later);
        byRule.ShouldBe(new Grant { Scopes = Scopes("a b"), ApprovedAt = Later, Rule = "loopback" });
        byRule.Without("loopback").ShouldBeNull();

        Grant.ByOperator(byRule, Scopes("a b"), "ops", Later).ShouldBe(new Grant { Scopes = Scopes("a b"), ApprovedAt = Later, ApprovedBy = "ops" });
    }

    [Fact]
    public void A_role_without_scopes_has_an_approver_too()
    {
        Grant byRule = Grant.ByRule(held: null, ScopeSet.Empty, "loopback", Start);
        byRule.Without("loopback").ShouldBeNull();
        Grant.ByRule(byRule, ScopeSet.Empty, "loopback", Later).ShouldBe(byRule with { ApprovedAt = Later }, "one approver needs no parts");
        Shares(Grant.ByOperator(byRule, ScopeSet.Empty, "ops", Later)).ShouldBe("role: operator");

        Grant byOperator = Grant.ByOperator(held: null, ScopeSet.Empty, "ops", Start);
        Grant widened = Grant.ByRule(byOperator, Scopes("camera"), "loopback", Later);
        Shares(widened).ShouldBe("role: operator, loopback: camera");
        widened.Without("loopback").ShouldBe(byOperator);
    }

    [Fact]
    public void Each_of_two_rules_is_taken_back_separately()
    {
        Grant both = Grant.ByRule(Grant.ByRule(held: null, Scopes("a"), "loopback", Start), Scopes("a b"), "office", Later);

        Shares(both).ShouldBe("role: loopback, loopback: a, office: b");
        both.Without("loopback").ShouldBe(new Grant { Scopes = Scopes("b"), ApprovedAt = Later, Rule = "office" });
        both.Without("office").ShouldBe(new Grant { Scopes = Scopes("a"), ApprovedAt = Later, Rule = "loopback" });
        both.Without("office")!.Without("loopback").ShouldBeNull();

        Grant three = Grant.ByOperator(both, Scopes("c"), "ops", Later);
        Shares(three.Without("loopback")!).ShouldBe("role: operator, operator: c, office: b");
        Shares(Grant.ByRule(three, Scopes("d"), "lab", Later).Without("lab")!).ShouldBe(Shares(three));
    }

    // Approvals in their order, as "approver: scopes"; then the rule that is taken back, and what is left with its last approver.
    [Theory]
    [InlineData("ops: a; office: c; ops: b", "office", "role: operator, operator: a b", "ops")]
    [InlineData("office: a; lab: b; zoo: c", "zoo", "role: office, lab: b, office: a", "office")]
    [InlineData("office: a; lab: b; zoo: c", "lab", "role: office, office: a, zoo: c", "zoo")]
    [InlineData("office: a; lab: b; zoo: c", "office", "role: lab, lab: b, zoo: c", "zoo")]
    [InlineData("ops: a; office: b; zoo: c", "office", "role: operator, operator: a, zoo: c", "zoo")]
    [InlineData("ops: a; office: b; zoo: c", "zoo", "role: operator, operator: a, office: b", "ops")]
    [InlineData("ops: a; office: b; zoo: c; ops: d", "zoo", "role: operator, operator: a d, office: b", "ops")]
    [InlineData("office: a; ops: b; ops: c", "office", "role: operator, operator: b c", "ops")]
    public void A_rule_that_is_taken_back_leaves_the_parts_of_others(string approvals, string rule, string left, string lastApprover)
    {
        Grant? grant = null;
        foreach (string[] approval in approvals.Split("; ").Select(a => a.Split(": ")))
        {
            grant = approval[0] == "ops"
                ? Grant.ByOperator(grant, Scopes(approval[1]), "ops", Start)
                : Grant.ByRule(grant, Scopes(approval[1]), approval[0], Start);
        }

        Grant without = grant!.Without(rule).ShouldNotBeNull();

        Shares(without).ShouldBe(left);
        (without.Rule ?? without.ApprovedBy).ShouldBe(lastApprover);
        without.GetOperator().ShouldBe(approvals.Contains("ops", StringComparison.Ordinal) ? "ops" : null);
    }

    [Fact]
    public void A_rule_without_scopes_does_not_inherit_the_role()
    {
        Grant grant = Read("""{"scopes":["a","b"],"approvedAt":"2026-11-22T10:00:00+00:00","rule":"loopback","parts":{"rules":{"lab":[],"loopback":["a"],"office":["b"]},"role":"loopback"}}""").Grants.Of("operator");

        Shares(grant.Without("loopback")!).ShouldBe("role: office, office: b");
    }

    [Theory]
    [InlineData("""{"scopes":["a"],"approvedAt":"2026-11-22T10:00:00+00:00","rule":"loopback"}""", "role: loopback, loopback: a")]
    [InlineData("""{"scopes":["a"],"approvedAt":"2026-11-22T10:00:00+00:00","approvedBy":"ops"}""", "role: operator, operator: a")]
    [InlineData("""{"approvedAt":"2026-11-22T10:00:00+00:00","approvedBy":"ops"}""", "role: operator")]
    [InlineData("""{"scopes":["a"],"approvedAt":"2026-11-22T10:00:00+00:00"}""", "role: operator, operator: a")]
    [InlineData("""{"scopes":["a","b"],"approvedAt":"2026-11-22T10:00:00+00:00","rule":"loopback","parts":{"rules":{"loopback":["b","gone"]},"role":"loopback"}}""", "role: operator, operator: a, loopback: b gone")]
    public void A_document_names_the_approvers_of_a_grant(string grant, string expected)
    {
        DeviceRecord read = Read(grant);

        Shares(read.Grants.Of("operator")).ShouldBe(expected);
        Encoding.UTF8.GetString(DeviceDocument.Serialize(read)).ShouldContain($"\"operator\":{grant}");
    }

    [Theory]
    [InlineData("""{"rules":null}""")]
    [InlineData("""{"rules":{"loopback":null}}""")]
    [InlineData("""{"rules":{"loopback":["no scope"]}}""")]
    [InlineData("[]")]
    public void Invalid_parts_make_a_damaged_document(string parts) => Should.Throw<DamagedDocumentException>(
        () => Read($$"""{"scopes":["a"],"approvedAt":"2026-11-22T10:00:00+00:00","rule":"loopback","parts":{{parts}}}"""));

    [Fact]
    public void Written_parts_are_read_back_unchanged()
    {
        Grant widened = Grant.ByRule(Some.Paired(_claim, Start).Grants.Of("operator"), Scopes("a"), "loopback", Later);
        DeviceRecord record = Some.Paired(_claim, Start) with { Grants = ImmutableSortedDictionary<GrantKey, Grant>.Empty.Add("operator", widened) };

        DeviceRecord read = DeviceDocument.Deserialize(DeviceDocument.Serialize(record), record.Id, record.Version);

        DeviceDocument.Serialize(read).ShouldBe(DeviceDocument.Serialize(record));
        read.Grants.Of("operator").Without("loopback").ShouldBe(Some.Paired(_claim, Start).Grants.Of("operator"));
    }

    private static string Shares(Grant grant)
    {
        ScopeSet operators = grant.OperatorScopes;
        string[] lines =
        [
            $"role: {grant.GetRoleRule() ?? "operator"}",
            .. operators.Count == 0 ? Array.Empty<string>() : [$"operator: {operators}"],
            .. grant.GetRuleScopes().Where(r => r.Value.Count > 0).Select(r => $"{r.Key}: {r.Value}"),
        ];
        return string.Join(", ", lines);
    }

    private static ScopeSet Scopes(string scopes) => ScopeSet.Of(scopes.Split(' '));

    private DeviceRecord Read(string grant) => DeviceDocument.Deserialize(
        Encoding.UTF8.GetBytes(
            $$"""{"id":"{{_claim.Device}}","publicKey":"{{_claim.PublicKey}}","version":"v","createdAt":"2026-11-22T10:00:00+00:00","client":{},"grants":{"operator":{{grant}}},"requests":[]}"""),
        _claim.Device,
        "v");
}
