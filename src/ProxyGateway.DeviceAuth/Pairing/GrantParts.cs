using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Who approved which part of a grant with several approvers: the rules' parts are named, the rest is operators'.</summary>
public sealed record GrantParts : StoredObject
{
    /// <summary>
    /// Rule -> the scopes that it approved and no operator did. A scope is in one of them at most: that of the first rule that approved it.
    /// </summary>
    public ImmutableSortedDictionary<string, ScopeSet> Rules { get; init; } = ImmutableSortedDictionary.Create<string, ScopeSet>(StringComparer.Ordinal);

    /// <summary>The rule that approved the role; null if an operator did.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Role { get; init; }

    /// <summary>The operator who last approved a part of the grant, if a rule did so later; null if unknown.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ApprovedBy { get; init; }

    /// <summary>The time of that approval.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? ApprovedAt { get; init; }
}
