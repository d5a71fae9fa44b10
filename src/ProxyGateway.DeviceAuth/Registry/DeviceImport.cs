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

    /// <summary>It was paired, and holds more now.</summary>
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
                current.Grants, (grants, g) => grants.SetItem(g.Key, Merge(grants.GetValueOrDefault(g.Key), g.Key, g.Value, by, implications, now))),
        };
        if (!current.IsPaired)
            return (ImportOutcome.Added, next);
        bool holdsMore = next.Legacy != current.Legacy || next.Grants.Any(g => !ReferenceEquals(g.Value, current.Grants.GetValueOrDefault(g.Key)));
        return holdsMore || next.Label != current.Label ? (ImportOutcome.Extended, next) : (ImportOutcome.Unchanged, null);
    }

    private static Grant Merge(Grant? held, string role, GrantTerms terms, Operator by, ScopeImplications implications, DateTimeOffset now)
    {
        if (held is not null && (terms.Scopes is null || (held.Scopes is { } scopes && implications.Covers(role, scopes, terms.Scopes))))
            return held;
        return new Grant
        {
            Scopes = held?.Scopes is { } some ? some.Union(terms.Scopes!) : terms.Scopes,
            ApprovedAt = now,
            ApprovedBy = by.Name,
            Until = held is null ? terms.Until : held.Until,
        };
    }
}
