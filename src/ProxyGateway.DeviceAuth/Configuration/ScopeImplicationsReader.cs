using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// Reads <c>ScopeImplications</c>: role -> scope -> covered scopes. A configured implication replaces the built-in one, scope by scope.
/// </summary>
internal static class ScopeImplicationsReader
{
    public static ScopeImplications Read(SectionReader section)
    {
        ImmutableDictionary<string, ImmutableDictionary<string, ImmutableArray<string>>> byRole = ScopeImplications.Default.ByRole;
        foreach ((string role, SectionReader scopes) in section.Sections())
        {
            CheckCase(role, "role", byRole.Keys, scopes.Path, section.Errors);
            ImmutableDictionary<string, ImmutableArray<string>> byScope =
                byRole.GetValueOrDefault(role, ImmutableDictionary<string, ImmutableArray<string>>.Empty);
            foreach (string scope in scopes.Names())
            {
                CheckCase(scope, "scope", byScope.Keys, scopes.PathOf(scope), section.Errors);
                if (scopes.List(scope) is { } patterns)
                    byScope = byScope.SetItem(scope, patterns);
            }

            byRole = byRole.SetItem(role, byScope);
        }

        return new ScopeImplications(byRole);
    }

    // Keys ignore case, but roles and scopes do not: a key that should change a built-in implication must not miss it.
    private static void CheckCase(string name, string kind, IEnumerable<string> builtIn, string path, ConfigurationErrors errors)
    {
        if (builtIn.FirstOrDefault(b => b != name && string.Equals(b, name, StringComparison.OrdinalIgnoreCase)) is { } meant)
            errors.Add(path, $"differs in case only from the {kind} {meant}; allowed: that spelling.");
    }
}
