using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// A section of the configuration that is applied together with all others. An application registers its own parts as services: then a
/// reload applies the gate's parts and these together or not at all.
/// </summary>
public sealed class ConfigurationPart
{
    private ConfigurationPart(Type type, string section, Func<IConfiguration, ConfigurationErrors, object> read, Action<ILogger, string> logRefused) =>
        (Type, Section, Read, LogRefused) = (type, section, read, logRefused);

    /// <summary>The section's full path.</summary>
    public string Section { get; }

    /// <summary>The type of its options; unique among the parts.</summary>
    internal Type Type { get; }

    internal Func<IConfiguration, ConfigurationErrors, object> Read { get; }

    internal Action<ILogger, string> LogRefused { get; }

    /// <summary>A part that is read into a <typeparamref name="T"/>.</summary>
    /// <typeparam name="T">The type of its options; unique among the parts.</typeparam>
    /// <param name="section">The section's full path.</param>
    /// <param name="read">
    /// Reads it from the whole configuration, at start and at each reload, and notes every error; after errors the result is not used.
    /// </param>
    /// <param name="logRefused">Logs one reason why a reload was refused; null: as the gate does it.</param>
    public static ConfigurationPart Of<T>(
        string section, Func<IConfiguration, ConfigurationErrors, T> read, Action<ILogger, string>? logRefused = null)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(section);
        ArgumentNullException.ThrowIfNull(read);
        return new ConfigurationPart(typeof(T), section, read, logRefused ?? Log.ReloadRefused);
    }
}
