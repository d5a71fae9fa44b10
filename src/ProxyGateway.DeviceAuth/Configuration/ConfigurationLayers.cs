using System.Collections.Immutable;
using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// A configuration as its layers. .NET merges lists index by index, so a shorter list in an overlay keeps the tail of the longer one
/// beneath. A list that must be read whole can only be read from the layers themselves.
/// </summary>
internal sealed class ConfigurationLayers
{
    private readonly ImmutableArray<IConfigurationProvider> _topmostFirst;

    private ConfigurationLayers(ImmutableArray<IConfigurationProvider> topmostFirst) => _topmostFirst = topmostFirst;

    public static ConfigurationLayers Of(IConfiguration configuration)
    {
        var layers = ImmutableArray.CreateBuilder<IConfigurationProvider>();
        Add(configuration);
        layers.Reverse();
        return new ConfigurationLayers(layers.ToImmutable());

        void Add(IConfiguration part)
        {
            if (part is not IConfigurationRoot root)
            {
                // A section hides its layers: it counts as one.
                layers.Add(new ChainedConfigurationProvider(new ChainedConfigurationSource { Configuration = part }));
                return;
            }

            foreach (IConfigurationProvider provider in root.Providers)
            {
                if (provider is ChainedConfigurationProvider { Configuration: IConfigurationRoot chained })
                    Add(chained);
                else
                    layers.Add(provider);
            }
        }
    }

    /// <summary>
    /// The value of a key in the topmost layer that has it. The value itself is null for JSON's <c>null</c> and <c>{}</c>.
    /// </summary>
    public bool TryGetValue(string path, out string? value)
    {
        foreach (IConfigurationProvider layer in _topmostFirst)
        {
            if (layer.TryGet(path, out value))
                return true;
        }

        value = null;
        return false;
    }

    /// <summary>The names of the keys beneath a key in all layers, ignoring case, as the lowest layer spells them.</summary>
    public IReadOnlyList<string> ChildNames(string path) =>
        [.. _topmostFirst.Reverse().SelectMany(l => ChildNames(l, path)).Distinct(StringComparer.OrdinalIgnoreCase)];

    /// <summary>The names of the keys beneath a key in one layer, numbers in their order.</summary>
    public static IReadOnlyList<string> ChildNames(IConfigurationProvider layer, string? path) =>
        [.. layer.GetChildKeys([], path).Distinct(StringComparer.OrdinalIgnoreCase).Order(ConfigurationKeyComparer.Instance)];

    /// <summary>The topmost layer with the key or keys beneath it; null if there is none.</summary>
    public IConfigurationProvider? Topmost(string path) => _topmostFirst.FirstOrDefault(l => Has(l, path));

    /// <summary>The layers with the key or keys beneath it.</summary>
    public ImmutableArray<IConfigurationProvider> With(string path) => [.. _topmostFirst.Where(l => Has(l, path))];

    /// <summary>The layers of a kind.</summary>
    public IEnumerable<T> OfType<T>() => _topmostFirst.OfType<T>();

    /// <summary>Whether this layer is still there but has no key any more, as when its file is gone or cannot be read.</summary>
    public bool HasBecomeEmpty(IConfigurationProvider layer) => _topmostFirst.Contains(layer) && ChildNames(layer, path: null).Count == 0;

    private static bool Has(IConfigurationProvider layer, string path) =>
        layer.TryGet(path, out _) || layer.GetChildKeys([], path).Any();

    /// <summary>Parses the name of a list's element.</summary>
    public static bool TryParseIndex(string name, out int index) =>
        int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out index);
}
