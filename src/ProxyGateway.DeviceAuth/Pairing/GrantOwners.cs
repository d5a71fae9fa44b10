using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Who approved which part of a grant. Methods and not properties, which would be written to JSON.</summary>
public static class GrantOwners
{
    /// <summary>Rule -> the scopes that it approved and no operator did.</summary>
    /// <param name="grant">The grant.</param>
    public static ImmutableSortedDictionary<string, ScopeSet> GetRuleScopes(this Grant grant)
    {
        ArgumentNullException.ThrowIfNull(grant);
        return grant.RuleScopes;
    }

    /// <summary>The rule that approved the role; null if an operator approved it, or a scope of it.</summary>
    /// <param name="grant">The grant.</param>
    public static string? GetRoleRule(this Grant grant)
    {
        ArgumentNullException.ThrowIfNull(grant);
        return grant.RoleRule;
    }

    /// <summary>The operator who last approved a part of it; null if none did, or if it is unknown.</summary>
    /// <param name="grant">The grant.</param>
    public static string? GetOperator(this Grant grant)
    {
        ArgumentNullException.ThrowIfNull(grant);
        return grant.OperatorApproval.By;
    }
}
