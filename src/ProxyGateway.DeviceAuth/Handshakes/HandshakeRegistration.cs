using Microsoft.Extensions.DependencyInjection;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>A handshake that routes may name. Names are known without the handshakes themselves, which need the configuration that they are checked in.</summary>
/// <param name="Name">The name in <see cref="DeviceAuthOptions.Handshake"/> and in route metadata.</param>
/// <param name="Type">The <see cref="IDeviceHandshake"/>, a service.</param>
internal sealed record HandshakeRegistration(string Name, Type Type)
{
    /// <summary>The names of all handshakes that were added so far.</summary>
    public static IReadOnlyList<string> NamesIn(IServiceCollection services) =>
        [.. services.Select(s => s.ServiceType == typeof(HandshakeRegistration) ? s.ImplementationInstance : null).OfType<HandshakeRegistration>().Select(r => r.Name)];
}
