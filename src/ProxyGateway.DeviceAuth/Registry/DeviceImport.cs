using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// An import is an operator's approval of many devices at once: within their ceiling, and never against an operator's refusal. It neither
/// narrows nor prolongs grants that a device has.
/// </summary>
internal static class DeviceImport
{
    /// <summary>The record after the import, and the result.</summary>
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
        if (!device.Grants.All(g => by.MayGrant(g.Key, g.Value.Scopes ?? ScopeSet.Empty, implications)) || (device.Legacy && !by.MayApproveLegacy))
            return (ImportOutcome.AboveCeiling, null);
        if (device.Grants.Values.Any(terms => terms.Until <= now))
            return (ImportOutcome.UntilIsPast, null);

        DeviceRecord next = current with
        {
            PublicKey = device.PublicKey,
            Label = current.Label ?? device.Label,
            Legacy = current.Legacy || (device.Legacy && !current.IsPairedFor(Audience.Default)),
            Grants = device.Grants.Aggregate(
                current.Grants,
                (grants, g) => grants.SetItem(
                    g.Key, Merge(grants.GetValueOrDefault(g.Key), g.Key.Role, g.Value, device.Parts.GetValueOrDefault(g.Key), by, implications, now))),
        };
        next = Transitions.CoverRequests(next, implications, now);
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
