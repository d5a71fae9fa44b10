using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>A section of the configuration that is applied together with all others.</summary>
/// <param name="Type">The type of its options; unique among the parts.</param>
/// <param name="Section">The section.</param>
/// <param name="Read">Reads it from the whole configuration and notes every error; after errors the result must not be used.</param>
/// <param name="LogRefused">Logs one reason why a reload was refused.</param>
internal sealed record ConfigurationPart(
    Type Type, string Section, Func<IConfiguration, ConfigurationErrors, object> Read, Action<ILogger, string> LogRefused)
{
    /// <summary>A part that is read into a <typeparamref name="T"/>.</summary>
    public static ConfigurationPart Of<T>(string section, Func<IConfiguration, ConfigurationErrors, T> read, Action<ILogger, string>? logRefused = null)
        where T : class => new(typeof(T), section, read, logRefused ?? Log.ReloadRefused);
}
