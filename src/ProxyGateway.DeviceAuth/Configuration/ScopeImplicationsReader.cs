using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>Reads <c>ScopeImplications</c>: role -> scope -> what it covers. What is configured replaces the built-in, scope by scope.</summary>
internal static class ScopeImplicationsReader
{
    public static ScopeImplications Read(SectionReader section)
    {
        ImmutableDictionary<string, ImmutableDictionary<string, ImmutableArray<string>>> byRole = ScopeImplications.Default.ByRole;
        foreach ((string role, SectionReader scopes) in section.Sections())
        {
            CheckName(role, "role", byRole.Keys, scopes);
            ImmutableDictionary<string, ImmutableArray<string>> byScope =
                byRole.GetValueOrDefault(role, ImmutableDictionary<string, ImmutableArray<string>>.Empty);
            foreach (string scope in scopes.Names())
            {
                CheckName(scope, "scope", byScope.Keys, scopes);
                if (scopes.List(scope) is { } patterns)
                    byScope = byScope.SetItem(scope, Check(patterns, scopes, scope));
            }

            byRole = byRole.SetItem(role, byScope);
        }

        return new ScopeImplications(byRole);
    }

    private static void CheckName(string name, string kind, IEnumerable<string> builtIn, SectionReader section)
    {
        string path = kind == "role" ? section.Path : section.PathOf(name);
        if (!ScopeSet.IsValidName(name))
            section.Errors.Add(path, $"is no {kind}; allowed: {SectionReader.ScopeNames}.");

        // Keys ignore case and roles and scopes do not: what was meant to change a built-in must not miss it.
        else if (builtIn.FirstOrDefault(b => b != name && string.Equals(b, name, StringComparison.OrdinalIgnoreCase)) is { } meant)
            section.Errors.Add(path, $"differs in case only from the {kind} {meant}; allowed: that spelling.");
    }

    private static ImmutableArray<string> Check(ImmutableArray<string> patterns, SectionReader section, string scope)
    {
        foreach (string pattern in patterns)
        {
            bool family = pattern.EndsWith(".*", StringComparison.Ordinal);
            if (!ScopeSet.IsValidName(family ? pattern.AsSpan(0, pattern.Length - 2) : pattern))
                section.Errors.AddValue(section.PathOf(scope), pattern, $"scopes, or families of them as in operator.*, of {SectionReader.ScopeNames}");
        }

        return patterns;
    }
}
