using System.Diagnostics.CodeAnalysis;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Which rule's approvals are taken back.</summary>
internal sealed record RemoveByRuleBody
{
    /// <summary>The rule's name.</summary>
    public required string Rule { get; init; }

    /// <summary>Whether to count only.</summary>
    public bool DryRun { get; init; }

    /// <summary>After how many devices to stop, and after five seconds in any case; absent: go on to the end.</summary>
    [DisallowNull]
    public int? Limit { get; init; }

    /// <summary>Where to begin: the next of the part before; absent: at the first device.</summary>
    [DisallowNull]
    public string? Cursor { get; init; }
}
