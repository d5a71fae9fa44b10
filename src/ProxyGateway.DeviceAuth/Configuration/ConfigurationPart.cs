using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// A section of the configuration that is taken together with all others. An application adds parts of its own as services: then the gate's reloads and
/// theirs are taken together or not at all.
/// </summary>
public sealed class ConfigurationPart
{
    private ConfigurationPart(Type type, string section, Func<IConfiguration, ConfigurationErrors, object> read, Action<ILogger, string> logRefused) =>
        (Type, Section, Read, LogRefused) = (type, section, read, logRefused);

    /// <summary>The section's full path.</summary>
    public string Section { get; }

    /// <summary>What it is read into; no two parts have the same.</summary>
    internal Type Type { get; }

    internal Func<IConfiguration, ConfigurationErrors, object> Read { get; }

    internal Action<ILogger, string> LogRefused { get; }

    /// <summary>A part that is read into a <typeparamref name="T"/>.</summary>
    /// <typeparam name="T">What it is read into; no two parts have the same.</typeparam>
    /// <param name="section">The section's full path.</param>
    /// <param name="read">
    /// Reads it out of the whole configuration, at start and at each reload, and notes everything that is wrong with it; what is returned then is not used.
    /// </param>
    /// <param name="logRefused">Logs one reason for which a reload was refused; null: as the gate does it.</param>
    public static ConfigurationPart Of<T>(
        string section, Func<IConfiguration, ConfigurationErrors, T> read, Action<ILogger, string>? logRefused = null)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(section);
        ArgumentNullException.ThrowIfNull(read);
        return new ConfigurationPart(typeof(T), section, read, logRefused ?? Log.ReloadRefused);
    }
}
