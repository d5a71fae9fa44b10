using System.Collections.Frozen;
using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>
/// Which scopes cover which others, for each role: <c>role -> scope -> covered scopes</c>. A final <c>.*</c> covers a whole family.
/// </summary>
/// <param name="byRole">The implications; they are not transitive.</param>
public sealed class ScopeImplications(ImmutableDictionary<string, ImmutableDictionary<string, ImmutableArray<string>>> byRole)
{
    private readonly FrozenDictionary<string, Implied> _implied =
        byRole.ToFrozenDictionary(role => role.Key, role => new Implied(role.Value), StringComparer.Ordinal);

    /// <summary>
    /// The built-in implications, which are OpenClaw's: <c>operator.admin</c> covers <c>operator.*</c>; <c>operator.write</c> covers
    /// <c>operator.read</c>, <c>operator.talk</c>, <c>operator.sessions.read</c> and <c>operator.sessions.write</c>; <c>operator.read</c>
    /// and <c>operator.sessions.write</c> cover <c>operator.sessions.read</c>.
    /// </summary>
    public static ScopeImplications Default { get; } = new(ImmutableDictionary<string, ImmutableDictionary<string, ImmutableArray<string>>>.Empty
        .Add("operator", ImmutableDictionary<string, ImmutableArray<string>>.Empty
            .Add("operator.admin", ["operator.*"])
            .Add("operator.write", ["operator.read", "operator.talk", "operator.sessions.read", "operator.sessions.write"])
            .Add("operator.read", ["operator.sessions.read"])
            .Add("operator.sessions.write", ["operator.sessions.read"])));

    /// <summary>The configured implications: role, scope, covered scopes.</summary>
    public ImmutableDictionary<string, ImmutableDictionary<string, ImmutableArray<string>>> ByRole { get; } = byRole;

    /// <summary>
    /// Whether the granted scopes cover all requested scopes in this role. An empty request is always covered. Each requested scope costs a
    /// search in the sorted grant, and one for each configured scope that implies it: a large grant is not scanned.
    /// </summary>
    public bool Covers(string role, ScopeSet granted, ScopeSet requested)
    {
        ArgumentNullException.ThrowIfNull(granted);
        ArgumentNullException.ThrowIfNull(requested);
        Implied? implied = _implied.GetValueOrDefault(role);
        for (int i = 0; i < requested.Count; i++)
        {
            if (!granted.Contains(requested[i]) && implied?.IsBy(granted, requested[i]) != true)
                return false;
        }

        return true;
    }

    /// <summary>The implications of one role, by covered scope.</summary>
    private sealed class Implied
    {
        private readonly FrozenDictionary<string, string[]> _scopes; // covered scope -> scopes that cover it
        private readonly (string Prefix, string By)[] _families;

        public Implied(ImmutableDictionary<string, ImmutableArray<string>> byScope)
        {
            (string Pattern, string By)[] all = [.. byScope.SelectMany(scope => scope.Value.Select(pattern => (pattern, scope.Key)))];
            _scopes = all.GroupBy(i => i.Pattern, i => i.By, StringComparer.Ordinal).ToFrozenDictionary(g => g.Key, g => g.ToArray(), StringComparer.Ordinal);
            _families = [.. all.Where(i => i.Pattern.EndsWith(".*", StringComparison.Ordinal)).Select(i => (i.Pattern[..^1], i.By))];
        }

        public bool IsBy(ScopeSet granted, string requested)
        {
            if (_scopes.TryGetValue(requested, out string[]? scopes))
            {
                foreach (string scope in scopes)
                {
                    if (granted.Contains(scope))
                        return true;
                }
            }

            foreach ((string prefix, string by) in _families)
            {
                if (requested.StartsWith(prefix, StringComparison.Ordinal) && granted.Contains(by))
                    return true;
            }

            return false;
        }
    }
}
