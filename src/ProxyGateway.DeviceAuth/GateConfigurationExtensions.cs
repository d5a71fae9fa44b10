using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Identity;
using ProxyGateway.DeviceAuth.Localities;
using Yarp.ReverseProxy.Configuration.RouteValidators;
using Yarp.ReverseProxy.Transforms.Builder;

namespace ProxyGateway.DeviceAuth;

/// <summary>
/// For an application that reads its whole configuration at once (<see cref="GatewayConfiguration"/>), including its routes: the gate's
/// parts of that. They know only handshakes that were added before the call.
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

    /// <summary>Finds misspelt metadata of the gate in a route.</summary>
    /// <param name="gate">The gate.</param>
    public static IRouteValidator CreateRouteValidator(this IDeviceAuthorizationBuilder gate)
    {
        ArgumentNullException.ThrowIfNull(gate);
        return new DeviceAuthRouteValidator(HandshakeRegistration.NamesIn(gate.Services));
    }

    /// <summary>Finds mistakes in a route's transforms of the gate, such as <c>DeviceHeader</c>. It is not for building them.</summary>
    /// <param name="gate">The gate.</param>
    public static ITransformFactory CreateTransformValidator(this IDeviceAuthorizationBuilder gate)
    {
        ArgumentNullException.ThrowIfNull(gate);
        return new BackendHeaderFactory(new ClaimedHeaders(() => []));
    }
}
