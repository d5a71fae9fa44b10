using System.Collections.Immutable;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

/// <summary>Coverage is looked up; it says what going through every pair of scopes says.</summary>
public sealed class CoverageProperties
{
    private static readonly string[] Names = ["a", "a.b", "a.b.c", "ab", "b", "b.a", "operator.read", "operator.write", "operator.admin", "Operator.read"];
    private static readonly string[] Patterns = [.. Names, "a.*", "a.b.*", "b.*", "operator.*"];

    [Property(MaxTest = 2000)]
    public void Coverage_equals_the_comparison_of_every_pair(int seed)
    {
        var random = new Random(seed);
        ScopeSet granted = Some(random);
        ScopeSet requested = Some(random);
        ImmutableDictionary<string, ImmutableArray<string>> implied = Some(random).ToImmutableDictionary(
            s => s, _ => random.GetItems(Patterns, random.Next(4)).ToImmutableArray(), StringComparer.Ordinal);
        var implications = new ScopeImplications(ImmutableDictionary<string, ImmutableDictionary<string, ImmutableArray<string>>>.Empty.Add("operator", implied));

        implications.Covers("operator", granted, requested).ShouldBe(requested.All(r => granted.Any(g => IsCovered(g, r, implied))), $"[{granted}] [{requested}]");
        implications.Covers("node", granted, requested).ShouldBe(requested.All(r => granted.Any(g => g == r)), "what one role implies, another does not");
        foreach (string name in Names)
            granted.Contains(name).ShouldBe(granted.Any(g => g == name));
        granted.Without(requested).ShouldBe(ScopeSet.Of(granted.Where(g => !requested.Any(r => r == g))));
    }

    private static bool IsCovered(string granted, string requested, ImmutableDictionary<string, ImmutableArray<string>> implied) =>
        granted == requested || (implied.TryGetValue(granted, out ImmutableArray<string> patterns) && patterns.Any(p =>
            p == requested || (p.EndsWith(".*", StringComparison.Ordinal) && requested.StartsWith(p[..^1], StringComparison.Ordinal))));

    private static ScopeSet Some(Random random) => ScopeSet.Of(random.GetItems(Names, random.Next(Names.Length)));
}
