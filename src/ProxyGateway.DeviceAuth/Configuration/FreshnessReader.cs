using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// Reads <see cref="FreshnessOptions"/> from the section <c>Registry</c>. The other keys there belong to the application, which chooses the store.
/// </summary>
internal static class FreshnessReader
{
    private const string SectionName = "Registry";
    private static readonly TimeSpan ShortestStalenessLimit = TimeSpan.FromSeconds(5);

    /// <summary>The keys that are read here.</summary>
    public static ImmutableArray<string> Keys { get; } =
        [nameof(FreshnessOptions.SweepInterval), nameof(FreshnessOptions.StalenessLimit), nameof(FreshnessOptions.CloseStaleSessions)];

    public static FreshnessOptions Read(ConfigurationLayers layers, ConfigurationErrors errors)
    {
        var section = new SectionReader(layers, SectionName, errors);
        var defaults = new FreshnessOptions();
        var options = new FreshnessOptions
        {
            SweepInterval = section.Span(nameof(defaults.SweepInterval), defaults.SweepInterval, TimeSpan.FromDays(1)),
            StalenessLimit = section.Span(nameof(defaults.StalenessLimit), defaults.StalenessLimit, TimeSpan.FromDays(1)),
            CloseStaleSessions = section.Flag(nameof(defaults.CloseStaleSessions), defaults.CloseStaleSessions),
        };
        if (options.StalenessLimit < ShortestStalenessLimit)
        {
            errors.AddValue(
                section.PathOf(nameof(defaults.StalenessLimit)),
                options.StalenessLimit.ToString("c"),
                $"at least {ShortestStalenessLimit:c}: signs of life come about once a second, and may take that long");
        }

        return options;
    }
}
