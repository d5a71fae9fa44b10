using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A device as another gateway has it on record.</summary>
/// <param name="Id">The device.</param>
/// <param name="PublicKey">The raw public key as base64url without padding; its SHA-256 is the id.</param>
/// <param name="Grants">Role -> terms; terms without scopes are those of a gateway that kept none.</param>
public sealed record ImportedDevice(DeviceId Id, string PublicKey, ImmutableSortedDictionary<string, GrantTerms> Grants)
{
    /// <summary>It was paired without any role on record.</summary>
    public bool Legacy { get; init; }

    /// <summary>Role -> what of its grant a rule approved there, and is that rule's here too. All else is the operator's who imports it.</summary>
    public ImmutableSortedDictionary<string, GrantParts> Parts { get; init; } = ImmutableSortedDictionary.Create<string, GrantParts>(StringComparer.Ordinal);

    /// <summary>What operators call it, safe to show; null if nothing.</summary>
    public string? Label { get; init; }

    /// <summary>What it says about itself, safe to show.</summary>
    public ClientDescription Client { get; init; } = new();
}

/// <summary>What became of an imported device.</summary>
public enum ImportOutcome
{
    /// <summary>It is paired now, and was not.</summary>
    Added,

    /// <summary>It was paired, and holds more now, or holds by an operator's approval what it held by a rule's.</summary>
    Extended,

    /// <summary>It holds all of that already.</summary>
    Unchanged,

    /// <summary>The operator's ceiling does not allow all of it; nothing of it was taken.</summary>
    AboveCeiling,

    /// <summary>An operator has removed the device, or said no to one of the roles; nothing of it was taken.</summary>
    RefusedBefore,

    /// <summary>An operator has blocked the device.</summary>
    Blocked,

    /// <summary>The end of a grant is past.</summary>
    UntilIsPast,

    /// <summary>What is on record of the device has a format that this gateway does not know; nothing was taken.</summary>
    NewerFormat,
}

/// <summary>
/// An import is an operator's approval of many devices at once: within their ceiling, and nowhere where an operator has said no. What a
/// device holds already is neither narrowed nor prolonged.
/// </summary>
public static class DeviceImport
{
    /// <summary>The record after the import, and what became of the device.</summary>
    public static (ImportOutcome Outcome, DeviceRecord? Next) Apply(
        DeviceRecord? record, ImportedDevice device, Operator by, ScopeImplications implications, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(by);
        ArgumentNullException.ThrowIfNull(implications);
        DeviceRecord current = record?.AsOf(now) ?? new DeviceRecord { Id = device.Id, PublicKey = device.PublicKey, CreatedAt = now, Client = device.Client };
        if (current.Block is not null)
            return (ImportOutcome.Blocked, null);
        if (current.Refusals is { } marks && (marks.WholeDevice || device.Grants.Keys.Any(marks.Covers)))
            return (ImportOutcome.RefusedBefore, null);
        if (!device.Grants.All(g => by.MayGrant(g.Key, g.Value.Scopes ?? ScopeSet.Empty, implications)) || (device.Legacy && by.UpTo is not null))
            return (ImportOutcome.AboveCeiling, null);
        if (device.Grants.Values.Any(terms => terms.Until <= now))
            return (ImportOutcome.UntilIsPast, null);

        DeviceRecord next = current with
        {
            PublicKey = device.PublicKey,
            Label = current.Label ?? device.Label,
            Legacy = current.Legacy || (device.Legacy && current.Grants.IsEmpty),
            Grants = device.Grants.Aggregate(
                current.Grants,
                (grants, g) => grants.SetItem(
                    g.Key, Merge(grants.GetValueOrDefault(g.Key), g.Key, g.Value, device.Parts.GetValueOrDefault(g.Key), by, implications, now))),
        };
        if (!current.IsPaired)
            return (ImportOutcome.Added, next);
        bool holdsMore = next.Legacy != current.Legacy || next.Grants.Any(g => !ReferenceEquals(g.Value, current.Grants.GetValueOrDefault(g.Key)));
        return holdsMore || next.Label != current.Label ? (ImportOutcome.Extended, next) : (ImportOutcome.Unchanged, null);
    }

    private static Grant Merge(
        Grant? held, string role, GrantTerms terms, GrantParts? parts, Operator by, ScopeImplications implications, DateTimeOffset now)
    {
        ScopeSet scopes = terms.Scopes ?? ScopeSet.Empty;
        ScopeSet own = scopes.Without(parts?.Rules.Values.SelectMany(s => s) ?? []);
        Grant? grant = held;
        if (parts?.Role is { } rule && own.Count == 0)
            grant ??= Grant.ByRule(held: null, ScopeSet.Empty, rule, now);
        else if (held is null)
            grant = Grant.ByOperator(held: null, terms.Scopes is null ? null : own, by.Name, now);
        else if (held.RoleRule is not null || !implications.Covers(role, held.OperatorScopes, own) || (held.Scopes is null && terms.Scopes is not null))
            grant = Grant.ByOperator(held, own, by.Name, now);
        foreach ((string name, ScopeSet its) in parts?.Rules ?? ImmutableSortedDictionary<string, ScopeSet>.Empty)
        {
            ScopeSet granted = ScopeSet.Of(its.Intersect(scopes, StringComparer.Ordinal));
            if (held is null || !implications.Covers(role, held.Scopes ?? ScopeSet.Empty, granted))
                grant = Grant.ByRule(grant, granted, name, now);
        }

        return held is null ? grant! with { Until = terms.Until } : grant!;
    }
}
