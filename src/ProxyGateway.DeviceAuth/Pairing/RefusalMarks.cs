using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>An operator's refusals: no rule approves a marked role until an operator has approved a whole request in it.</summary>
public sealed record RefusalMarks : StoredObject
{
    /// <summary>How many roles are marked or cleared one by one; past it the whole device is marked, or a role stays marked.</summary>
    public const int MaxRoles = 64;

    /// <summary>When the last mark was made.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The device was removed: every role of every audience is marked, except those in <see cref="Cleared"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool WholeDevice { get; init; }

    /// <summary>Roles that were narrowed, rejected or approved in part.</summary>
    public GrantKeySet Roles { get; init; } = GrantKeySet.Empty;

    /// <summary>Roles that an operator approved in full after the device was removed.</summary>
    public GrantKeySet Cleared { get; init; } = GrantKeySet.Empty;

    /// <summary>Whether a role of another audience than <c>default</c> is among them.</summary>
    internal bool NamesAudiences => Roles.Any(k => !k.Audience.IsDefault) || Cleared.Any(k => !k.Audience.IsDefault);

    /// <summary>The mark of a removed device, in place of earlier marks.</summary>
    internal static RefusalMarks RemovedDevice(RefusalMarks? marks, DateTimeOffset at) =>
        new() { At = at, WholeDevice = true, Unknown = marks?.Unknown };

    /// <summary>The marks, and one more for this role in this audience.</summary>
    internal static RefusalMarks Mark(RefusalMarks? marks, GrantKey key, DateTimeOffset at)
    {
        if (marks is null)
            return new RefusalMarks { At = at, Roles = GrantKeySet.Of(key) };
        marks = marks with { At = at > marks.At ? at : marks.At, Roles = GrantKeySet.Of([.. marks.Roles, key]) };
        return marks.Roles.Count <= MaxRoles ? marks : RemovedDevice(marks, marks.At);
    }

    /// <summary>The marks without this role in this audience; null if none are left.</summary>
    internal static RefusalMarks? Clear(RefusalMarks? marks, GrantKey key)
    {
        if (marks is null)
            return null;
        if (marks.WholeDevice && marks.Cleared.Count >= MaxRoles)
            return marks;
        RefusalMarks cleared = marks with
        {
            Roles = GrantKeySet.Of(marks.Roles.Where(k => k != key)),
            Cleared = marks.WholeDevice ? GrantKeySet.Of([.. marks.Cleared, key]) : GrantKeySet.Empty,
        };
        return cleared is { WholeDevice: false, Roles.Count: 0 } ? null : cleared;
    }

    /// <summary>Whether no rule may approve this role in this audience.</summary>
    public bool Covers(GrantKey key) => Roles.Contains(key) || (WholeDevice && !Cleared.Contains(key));
}
