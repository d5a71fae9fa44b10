using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Which scopes include which others, for each role: <c>role -> scope -> what it covers</c>. A final <c>.*</c> covers a whole family.</summary>
/// <param name="byRole">The implications; they are not followed transitively.</param>
public sealed class ScopeImplications(ImmutableDictionary<string, ImmutableDictionary<string, ImmutableArray<string>>> byRole)
{
    /// <summary>The built-in ones: <c>operator.admin</c> covers <c>operator.*</c>, <c>operator.write</c> covers <c>operator.read</c>.</summary>
    public static ScopeImplications Default { get; } = new(ImmutableDictionary<string, ImmutableDictionary<string, ImmutableArray<string>>>.Empty
        .Add("operator", ImmutableDictionary<string, ImmutableArray<string>>.Empty
            .Add("operator.admin", ["operator.*"])
            .Add("operator.write", ["operator.read"])));

    /// <summary>The implications as they are configured: role, scope, what it covers.</summary>
    public ImmutableDictionary<string, ImmutableDictionary<string, ImmutableArray<string>>> ByRole { get; } = byRole;

    /// <summary>Whether everything that is requested is covered by what is granted in this role. Nothing requested is covered by anything.</summary>
    public bool Covers(string role, ScopeSet granted, ScopeSet requested)
    {
        ArgumentNullException.ThrowIfNull(granted);
        ArgumentNullException.ThrowIfNull(requested);
        for (int i = 0; i < requested.Count; i++)
        {
            if (!Covers(role, granted, requested[i]))
            {
                return false;
            }
        }

        return true;
    }

    private bool Covers(string role, ScopeSet granted, string requested)
    {
        for (int i = 0; i < granted.Count; i++)
        {
            if (granted[i] == requested || Implies(role, granted[i], requested))
            {
                return true;
            }
        }

        return false;
    }

    private bool Implies(string role, string scope, string requested)
    {
        if (!ByRole.TryGetValue(role, out ImmutableDictionary<string, ImmutableArray<string>>? scopes)
            || !scopes.TryGetValue(scope, out ImmutableArray<string> implied))
        {
            return false;
        }

        foreach (string pattern in implied)
        {
            if (pattern == requested
                || (pattern.EndsWith(".*", StringComparison.Ordinal) && requested.AsSpan().StartsWith(pattern.AsSpan(0, pattern.Length - 1))))
            {
                return true;
            }
        }

        return false;
    }
}
