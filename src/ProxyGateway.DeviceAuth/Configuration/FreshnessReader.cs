using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// Reads <see cref="FreshnessOptions"/> from the section <c>Registry</c>. The section's other keys belong to the application, which chooses
/// the store.
/// </summary>
internal static class FreshnessReader
{
    /// <summary>The section.</summary>
    public const string SectionName = "Registry";

    public static FreshnessOptions Read(ConfigurationLayers layers, ConfigurationErrors errors)
    {
        var section = new SectionReader(layers, SectionName, errors);
        var defaults = new FreshnessOptions();
        return new FreshnessOptions
        {
            SweepInterval = section.Span(nameof(defaults.SweepInterval), defaults.SweepInterval, DeviceAuthRanges.SweepInterval),
            StalenessLimit = section.Span(nameof(defaults.StalenessLimit), defaults.StalenessLimit, DeviceAuthRanges.StalenessLimit),
            CloseStaleSessions = section.Flag(nameof(defaults.CloseStaleSessions), defaults.CloseStaleSessions),
        };
    }
}
