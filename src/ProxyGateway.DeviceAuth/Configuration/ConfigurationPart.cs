using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>A section of the configuration that is taken together with all others.</summary>
/// <param name="Type">What it is read into; no two parts have the same.</param>
/// <param name="Section">The section.</param>
/// <param name="Read">Reads it out of the whole configuration and notes everything that is wrong with it; what is returned then must not be used.</param>
/// <param name="LogRefused">Logs one reason for which a reload was refused.</param>
internal sealed record ConfigurationPart(
    Type Type, string Section, Func<IConfiguration, ConfigurationErrors, object> Read, Action<ILogger, string> LogRefused)
{
    /// <summary>A part that is read into a <typeparamref name="T"/>.</summary>
    public static ConfigurationPart Of<T>(string section, Func<IConfiguration, ConfigurationErrors, T> read, Action<ILogger, string>? logRefused = null)
        where T : class => new(typeof(T), section, read, logRefused ?? Log.ReloadRefused);
}
