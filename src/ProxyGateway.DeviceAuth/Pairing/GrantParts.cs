using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Which part of a grant is whose, where more than one has approved: the rules' parts are named, all the rest is operators'.</summary>
public sealed record GrantParts : StoredObject
{
    /// <summary>Rule -> the scopes that it approved and no operator did. A scope is in one of them at most: that of the first rule that approved it.</summary>
    public ImmutableSortedDictionary<string, ScopeSet> Rules { get; init; } = ImmutableSortedDictionary.Create<string, ScopeSet>(StringComparer.Ordinal);

    /// <summary>The rule that let the device into the role; null if an operator approved the role.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Role { get; init; }

    /// <summary>The operator who last approved something of the grant, where a rule did so later; null if that is not known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ApprovedBy { get; init; }

    /// <summary>When that operator did.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? ApprovedAt { get; init; }
}
