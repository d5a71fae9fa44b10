using System.Collections.Immutable;

namespace ProxyGateway.Tests.Conventions;

/// <summary>An order of namespaces: each uses those before it, and those of its own layer.</summary>
/// <param name="root">The namespace that all of them begin with.</param>
/// <param name="bottomUp">The layers, without the root in their names.</param>
/// <param name="layerOfRootType">In which layer a type of the root namespace itself is.</param>
internal sealed class Layers(string root, ImmutableArray<string[]> bottomUp, Func<string, string> layerOfRootType)
{
    /// <summary>Uses that go against the order.</summary>
    public IEnumerable<SourceGraph.Use> Upwards(IEnumerable<SourceGraph.Use> uses) => uses.Where(u => RankOf(UserOf(u)) < RankOf(UsedOf(u)));

    /// <summary>Namespaces that are in no layer.</summary>
    public IEnumerable<string> Placeless(IEnumerable<SourceGraph.Use> uses) =>
        uses.SelectMany(u => (string[])[UserOf(u), UsedOf(u)]).Distinct().Where(name => RankOf(name) < 0);

    /// <summary>Who uses, by the name that the layers have for it.</summary>
    public string UserOf(SourceGraph.Use use) => NameOf(use.From, use.User);

    /// <summary>What is used, by the name that the layers have for it.</summary>
    public string UsedOf(SourceGraph.Use use) => NameOf(use.To, use.Type);

    private string NameOf(string @namespace, string type) => @namespace == root ? layerOfRootType(type) : @namespace[(root.Length + 1)..];

    private int RankOf(string name) => bottomUp.IndexOf(bottomUp.FirstOrDefault(layer => layer.Contains(name)) ?? []);
}
