using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>The approvals of operators and rules for a device in one role.</summary>
public sealed record Grant : StoredObject
{
    /// <summary>The approved scopes; null in a legacy record without scopes, which is not an approval of no scopes.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ScopeSet? Scopes { get; init; }

    /// <summary>When the grant was last approved or changed.</summary>
    public required DateTimeOffset ApprovedAt { get; init; }

    /// <summary>The operator who last approved or changed it; absent if a rule did.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ApprovedBy { get; init; }

    /// <summary>The rule that last approved it; absent if an operator did.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Rule { get; init; }

    /// <summary>The end of the grant; null if it has none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? Until { get; init; }

    /// <summary>Who approved which part; null if the whole grant is the last approver's, as in documents of older versions.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public GrantParts? Parts { get; init; }

    /// <summary>Rule -> the scopes that only it approved.</summary>
    internal ImmutableSortedDictionary<string, ScopeSet> RuleScopes => Parts?.Rules
        ?? (Rule is null ? NoRules : NoRules.Add(Rule, Scopes ?? ScopeSet.Empty));

    /// <summary>The rule that approved the role; null if an operator did, as in every grant with a scope of an operator.</summary>
    internal string? RoleRule => Parts is null ? Rule : OperatorScopes.Count > 0 ? null : Parts.Role;

    /// <summary>The scopes that an operator approved.</summary>
    internal ScopeSet OperatorScopes => Parts is null
        ? (Rule is null ? Scopes ?? ScopeSet.Empty : ScopeSet.Empty)
        : (Scopes ?? ScopeSet.Empty).Without(Parts.Rules.Values.SelectMany(s => s));

    /// <summary>When an operator last approved a part of it, and which one.</summary>
    internal (DateTimeOffset? At, string? By) OperatorApproval =>
        Rule is null ? (ApprovedAt, ApprovedBy) : (Parts?.ApprovedAt, Parts?.ApprovedBy);

    /// <summary>Whether this rule approved the role or a scope of it.</summary>
    internal bool HasPartOf(string rule) => RoleRule == rule || RuleScopes.ContainsKey(rule);

    private static ImmutableSortedDictionary<string, ScopeSet> NoRules { get; } = ImmutableSortedDictionary.Create<string, ScopeSet>(StringComparer.Ordinal);

    /// <summary>The grant after a rule has approved these scopes: the new ones are the rule's.</summary>
    internal static Grant ByRule(Grant? held, ScopeSet scopes, string rule, DateTimeOffset now)
    {
        if (held is null)
            return new Grant { Scopes = scopes, ApprovedAt = now, Rule = rule };
        ScopeSet before = held.Scopes ?? ScopeSet.Empty;
        ImmutableSortedDictionary<string, ScopeSet> rules = held.RuleScopes;
        if (scopes.Without(before) is { Count: > 0 } added)
            rules = rules.SetItem(rule, rules.GetValueOrDefault(rule, ScopeSet.Empty).Union(added));
        return (held with { Scopes = before.Union(scopes), ApprovedAt = now, ApprovedBy = null, Rule = rule })
            .Divided(rules, held.RoleRule, held.OperatorApproval);
    }

    /// <summary>
    /// The grant after an operator has approved these scopes: they and the role are the operators', and rules keep their other scopes.
    /// </summary>
    internal static Grant ByOperator(Grant? held, ScopeSet? scopes, string by, DateTimeOffset now)
    {
        if (held is null)
            return new Grant { Scopes = scopes, ApprovedAt = now, ApprovedBy = by };
        ImmutableSortedDictionary<string, ScopeSet> rules = held.RuleScopes;
        foreach ((string rule, ScopeSet its) in rules)
            rules = rules.SetItem(rule, its.Without(scopes ?? ScopeSet.Empty));
        return (held with { Scopes = (held.Scopes ?? ScopeSet.Empty).Union(scopes ?? ScopeSet.Empty), ApprovedAt = now, ApprovedBy = by, Rule = null })
            .Divided(rules, roleRule: null, (now, by));
    }

    /// <summary>The grant without this rule's part; null if nothing is left.</summary>
    internal Grant? Without(string rule)
    {
        if (!HasPartOf(rule))
            return this;
        ImmutableSortedDictionary<string, ScopeSet> rules = RuleScopes;
        ScopeSet its = rules.GetValueOrDefault(rule, ScopeSet.Empty);
        rules = rules.Remove(rule);
        bool isOperators = RoleRule is null;
        // a rule that approved a scope also approved its role
        string? roleRule = RoleRule != rule ? RoleRule : rules.FirstOrDefault(r => r.Value.Count > 0).Key;
        if (!isOperators && roleRule is null)
            return null;

        Grant left = this with { Scopes = (Scopes ?? ScopeSet.Empty).Without(its.Without(rules.Values.SelectMany(s => s))) };
        if (Rule == rule || (rules.IsEmpty && isOperators))
        {
            left = isOperators
                ? left with { Rule = null, ApprovedBy = OperatorApproval.By, ApprovedAt = OperatorApproval.At ?? ApprovedAt }
                : left with { Rule = roleRule };
        }

        return left.Divided(rules, roleRule, OperatorApproval);
    }

    /// <summary>The grant with its parts, or without them if the whole is the last approver's.</summary>
    private Grant Divided(ImmutableSortedDictionary<string, ScopeSet> rules, string? roleRule, (DateTimeOffset? At, string? By) byOperator)
    {
        rules = rules.RemoveRange(rules.Where(r => r.Value.Count == 0).Select(r => r.Key));
        bool isWhole = roleRule == Rule && rules.Keys.All(r => r == Rule); // a role of a rule has no scope of an operator
        return this with
        {
            Parts = isWhole && Parts?.Unknown is null ? null : new GrantParts
            {
                Unknown = Parts?.Unknown,
                Rules = rules,
                Role = roleRule,
                ApprovedBy = Rule is null || roleRule is not null ? null : byOperator.By,
                ApprovedAt = Rule is null || roleRule is not null ? null : byOperator.At,
            },
        };
    }
}
