using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.Serving;

/// <summary>Every section of the program's configuration: all of them are in order, at start and at each reload, or none is taken.</summary>
internal sealed class WholeConfiguration : IReloadCheck
{
    private static readonly OperatingSystemUsers Users = new();

    private static readonly (string Name, Action<IConfiguration, ConfigurationErrors> Check)[] Sections =
    [
        (DeviceAuthOptions.SectionName, static (all, errors) => DeviceAuthOptionsReader.Read(all, Users, errors)),
        (AdminOptions.SectionName, static (all, errors) => AdminOptionsReader.Read(all, errors)),
        ("Registry", static (all, errors) => RegistryOptionsReader.Read(all, errors)),
        ("ReverseProxy", static (all, errors) => ReverseProxyConfiguration.CheckAsync(all, errors).GetAwaiter().GetResult()),
    ];

    /// <inheritdoc/>
    public bool IsValid(IConfiguration configuration, string except)
    {
        var errors = new ConfigurationErrors();
        foreach ((string name, Action<IConfiguration, ConfigurationErrors> check) in Sections)
        {
            if (name != except)
                check(configuration, errors);
        }

        return errors.All.Count == 0;
    }
}
