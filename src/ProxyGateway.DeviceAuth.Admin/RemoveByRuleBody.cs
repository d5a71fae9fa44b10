using System.Diagnostics.CodeAnalysis;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The rule whose approvals are taken back.</summary>
public sealed record RemoveByRuleBody
{
    /// <summary>The rule's name.</summary>
    public required string Rule { get; init; }

    /// <summary>Whether only to count.</summary>
    public bool DryRun { get; init; }

    /// <summary>The number of devices after which to stop (at the latest after five seconds); absent: only at the end.</summary>
    [DisallowNull]
    public int? Limit { get; init; }

    /// <summary>The start: the next of the previous part; absent: the first device.</summary>
    [DisallowNull]
    public string? Cursor { get; init; }
}
