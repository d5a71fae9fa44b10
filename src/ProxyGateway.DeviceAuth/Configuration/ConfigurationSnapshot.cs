using System.Collections.Frozen;
using System.Collections.Immutable;
using Microsoft.Extensions.Configuration;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>All parts of the configuration, read together.</summary>
public sealed class ConfigurationSnapshot
{
    private readonly FrozenDictionary<Type, object> _values;
    private readonly ImmutableArray<(string Section, ImmutableArray<IConfigurationProvider> Layers)> _sections;

    private ConfigurationSnapshot(
        FrozenDictionary<Type, object> values, ConfigurationLayers layers, ImmutableArray<(string Section, ImmutableArray<IConfigurationProvider> Layers)> sections)
    {
        _values = values;
        Layers = layers;
        _sections = sections;
    }

    internal ConfigurationLayers Layers { get; }

    /// <summary>Reads all parts.</summary>
    /// <param name="configuration">The whole configuration.</param>
    /// <param name="parts">The parts.</param>
    /// <param name="previous">The previous snapshot; null at start.</param>
    /// <param name="tell">Called with every error, part by part.</param>
    internal static ConfigurationSnapshot Read(
        IConfiguration configuration, ImmutableArray<ConfigurationPart> parts, ConfigurationSnapshot? previous, Action<ConfigurationPart, ConfigurationErrors> tell)
    {
        ConfigurationLayers layers = ConfigurationLayers.Of(configuration);
        var values = new Dictionary<Type, object>();
        foreach (ConfigurationPart part in parts)
        {
            var errors = new ConfigurationErrors();
            values.Add(part.Type, part.Read(configuration, errors));
            previous?.ReportEmptied(part.Section, layers, errors);
            tell(part, errors);
        }

        return new ConfigurationSnapshot(values.ToFrozenDictionary(), layers, [.. parts.Select(p => (p.Section, layers.With(p.Section)))]);
    }

    /// <summary>The part that is read into a <typeparamref name="T"/>.</summary>
    /// <exception cref="KeyNotFoundException">There is no such part.</exception>
    public T Get<T>()
        where T : class => (T)_values[typeof(T)];

    // A file that is being replaced, or has a syntax error, reads as empty; the defaults must not take its place.
    private void ReportEmptied(string section, ConfigurationLayers now, ConfigurationErrors errors)
    {
        foreach (IConfigurationProvider layer in _sections.Where(s => s.Section == section).SelectMany(s => s.Layers).Where(now.HasBecomeEmpty))
            errors.Add(section, $"{layer} had keys of it and is empty now; to do without them, restart.");
    }
}
