using System.Text;
using Microsoft.Extensions.Configuration;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.Tests.Configuration;

/// <summary>Configurations as the program gets them: layers of JSON, the last on top.</summary>
internal static class Configurations
{
    public const uint Self = 1234;

    public static IConfigurationRoot Json(params string[] layers)
    {
        var builder = new ConfigurationBuilder();
        foreach (string layer in layers)
            builder.AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(layer)));
        return builder.Build();
    }

    /// <summary>The section <c>DeviceAuth</c> of layers that hold just that section's content.</summary>
    public static IConfigurationRoot DeviceAuth(params string[] layers) => Json([.. layers.Select(l => $$"""{ "DeviceAuth": {{l}} }""")]);

    public static DeviceAuthOptions Read(IConfiguration configuration)
    {
        var errors = new ConfigurationErrors();
        DeviceAuthOptions options = Read(configuration, errors);
        errors.ThrowIfAny();
        return options;
    }

    /// <summary>The section <c>DeviceAuth</c>; what is wrong with it is noted.</summary>
    public static DeviceAuthOptions Read(IConfiguration configuration, ConfigurationErrors errors) =>
        DeviceAuthOptionsReader.Read(configuration, new Users(), [DeviceAuthDefaults.ConnectFrame, DeviceAuthDefaults.Proof], errors);

    public static DeviceAuthOptions Read(params string[] layers) => Read(DeviceAuth(layers));

    public static IReadOnlyList<string> ErrorsOf(IConfiguration configuration)
    {
        var errors = new ConfigurationErrors();
        Read(configuration, errors);
        return errors.All;
    }

    public static IReadOnlyList<string> ErrorsOf(params string[] layers) => ErrorsOf(DeviceAuth(layers));

    public sealed class Users : IOperatingSystemUsers
    {
        public uint? CurrentId => Self;

        public uint? FindId(string name) => name == "agent" ? 2000 : null;
    }
}
