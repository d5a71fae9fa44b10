using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>Roles of the audience <c>default</c> by their names alone, for tests: in the gate itself a role without its audience must not compile.</summary>
internal static class DefaultAudience
{
    public static GrantKey InDefault(this string role) => new(Audience.Default, role);

    public static GrantKey In(this string role, string audience) => new(Audience.Parse(audience), role);

    public static DeviceClaim In(this DeviceClaim claim, string audience) => claim with { Audience = Audience.Parse(audience) };

    public static ScopeSet ScopesOf(this DeviceRecord record, string role) => record.ScopesOf(role.InDefault());

    public static T Of<T>(this ImmutableSortedDictionary<GrantKey, T> grants, string role) => grants[role.InDefault()];

    public static ImmutableSortedDictionary<GrantKey, T> Add<T>(this ImmutableSortedDictionary<GrantKey, T> grants, string role, T grant) =>
        grants.Add(role.InDefault(), grant);

    public static ImmutableSortedDictionary<GrantKey, T> SetItem<T>(this ImmutableSortedDictionary<GrantKey, T> grants, string role, T grant) =>
        grants.SetItem(role.InDefault(), grant);

    public static ImmutableSortedDictionary<GrantKey, T> Remove<T>(this ImmutableSortedDictionary<GrantKey, T> grants, string role) =>
        grants.Remove(role.InDefault());

    public static bool ContainsKey<T>(this ImmutableSortedDictionary<GrantKey, T> grants, string role) => grants.ContainsKey(role.InDefault());

    public static T? GetValueOrDefault<T>(this ImmutableSortedDictionary<GrantKey, T> grants, string role)
        where T : class => grants.TryGetValue(role.InDefault(), out T? grant) ? grant : null;

    public static bool Covers([NotNullWhen(true)] this RefusalMarks? marks, string role) => marks?.Covers(role.InDefault()) == true;

    public static GrantKeySet Roles(params IEnumerable<string> roles) => GrantKeySet.Of(roles.Select(InDefault));

    public static bool MayGrant(this Operator by, string role, ScopeSet scopes, ScopeImplications implications) =>
        by.MayGrant(role.InDefault(), scopes, implications);

    /// <summary>The roles of the audience <c>default</c>, and those of others with their audience.</summary>
    public static IEnumerable<string> Names(this IEnumerable<GrantKey> keys) => keys.Select(key => key.ToString());
}
