using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>An operator's refusals: no rule approves a marked role until an operator has approved a whole request in it.</summary>
public sealed record RefusalMarks : StoredObject
{
    /// <summary>How many roles are marked or cleared one by one; past it the whole device is marked, or a role stays marked.</summary>
    public const int MaxRoles = 64;

    /// <summary>When the last mark was made.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The device was removed: every role is marked, except those in <see cref="Cleared"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool WholeDevice { get; init; }

    /// <summary>Roles that were narrowed, rejected or approved in part.</summary>
    public ScopeSet Roles { get; init; } = ScopeSet.Empty;

    /// <summary>Roles that an operator approved in full after the device was removed.</summary>
    public ScopeSet Cleared { get; init; } = ScopeSet.Empty;

    /// <summary>The mark of a removed device, in place of earlier marks.</summary>
    internal static RefusalMarks RemovedDevice(RefusalMarks? marks, DateTimeOffset at) =>
        new() { At = at, WholeDevice = true, Unknown = marks?.Unknown };

    /// <summary>The marks, and one more for this role.</summary>
    internal static RefusalMarks Mark(RefusalMarks? marks, string role, DateTimeOffset at)
    {
        if (marks is null)
            return new RefusalMarks { At = at, Roles = ScopeSet.Of(role) };
        marks = marks with { At = at > marks.At ? at : marks.At, Roles = ScopeSet.Of([.. marks.Roles, role]) };
        return marks.Roles.Count <= MaxRoles ? marks : RemovedDevice(marks, marks.At);
    }

    /// <summary>The marks without this role; null if none are left.</summary>
    internal static RefusalMarks? Clear(RefusalMarks? marks, string role)
    {
        if (marks is null)
            return null;
        if (marks.WholeDevice && marks.Cleared.Count >= MaxRoles)
            return marks;
        RefusalMarks cleared = marks with
        {
            Roles = ScopeSet.Of(marks.Roles.Where(r => r != role)),
            Cleared = marks.WholeDevice ? ScopeSet.Of([.. marks.Cleared, role]) : ScopeSet.Empty,
        };
        return cleared is { WholeDevice: false, Roles.Count: 0 } ? null : cleared;
    }

    /// <summary>Whether no rule may approve this role.</summary>
    public bool Covers(string role) => Roles.Contains(role) || (WholeDevice && !Cleared.Contains(role));
}
