using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Who approved what of a grant. Methods and not properties of the grant, which would be written with it.</summary>
public static class GrantOwners
{
    /// <summary>Rule -> the scopes that it approved and no operator did.</summary>
    /// <param name="grant">The grant.</param>
    public static ImmutableSortedDictionary<string, ScopeSet> GetRuleScopes(this Grant grant)
    {
        ArgumentNullException.ThrowIfNull(grant);
        return grant.RuleScopes;
    }

    /// <summary>The rule that let the device into the role; null if an operator approved it, or a scope of it.</summary>
    /// <param name="grant">The grant.</param>
    public static string? GetRoleRule(this Grant grant)
    {
        ArgumentNullException.ThrowIfNull(grant);
        return grant.RoleRule;
    }

    /// <summary>The operator who last approved something of it; null if none did, or that is not known.</summary>
    /// <param name="grant">The grant.</param>
    public static string? GetOperator(this Grant grant)
    {
        ArgumentNullException.ThrowIfNull(grant);
        return grant.OperatorApproval.By;
    }
}
