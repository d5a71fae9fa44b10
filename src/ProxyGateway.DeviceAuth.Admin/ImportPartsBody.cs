using System.Diagnostics.CodeAnalysis;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The rules' parts of another gateway's grant.</summary>
public sealed record ImportPartsBody
{
    /// <summary>Rule -> the scopes that it alone approved.</summary>
    public required IReadOnlyDictionary<string, ScopeSet> Rules { get; init; }

    /// <summary>The rule that approved the role; absent: an operator did.</summary>
    [DisallowNull]
    public string? Role { get; init; }
}
