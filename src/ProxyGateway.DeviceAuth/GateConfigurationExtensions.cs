using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Localities;
using Yarp.ReverseProxy.Configuration.RouteValidators;

namespace ProxyGateway.DeviceAuth;

/// <summary>
/// For an application that reads all of its configuration at once (<see cref="GatewayConfiguration"/>), its routes among it: what the gate has to say to
/// that. Handshakes that are added later are not known to what was asked for before.
/// </summary>
public static class GateConfigurationExtensions
{
    /// <summary>The section of the gate, which is read into <see cref="DeviceAuthOptions"/>.</summary>
    /// <param name="gate">The gate.</param>
    public static ConfigurationPart GetConfigurationPart(this IDeviceAuthorizationBuilder gate)
    {
        ArgumentNullException.ThrowIfNull(gate);
        return DeviceAuthOptionsReader.Part(new OperatingSystemUsers(), HandshakeRegistration.NamesIn(gate.Services));
    }

    /// <summary>What finds misspelt metadata of the gate in a route.</summary>
    /// <param name="gate">The gate.</param>
    public static IRouteValidator CreateRouteValidator(this IDeviceAuthorizationBuilder gate)
    {
        ArgumentNullException.ThrowIfNull(gate);
        return new DeviceAuthRouteValidator(HandshakeRegistration.NamesIn(gate.Services));
    }
}
