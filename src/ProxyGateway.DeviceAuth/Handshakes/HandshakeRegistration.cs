using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// A handshake that routes may name. The names are known before the handshakes exist, since handshakes need the configuration, and checking
/// the configuration needs the names.
/// </summary>
/// <param name="Name">The name in <see cref="DeviceAuthOptions.Handshake"/> and in route metadata.</param>
/// <param name="Type">The <see cref="IDeviceHandshake"/>, a service.</param>
internal sealed record HandshakeRegistration(string Name, Type Type)
{
    /// <summary>Adds a handshake by its name; adding it again does nothing.</summary>
    /// <exception cref="ArgumentException">The name is blank, means an open route, or is another handshake's.</exception>
    public static void Add<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(IServiceCollection services, string name)
        where T : class, IDeviceHandshake
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        if (name == DeviceAuthDefaults.Off)
            throw new ArgumentException($"A route whose handshake is '{name}' is open.", nameof(name));
        var added = new HandshakeRegistration(name, typeof(T));
        if (In(services).FirstOrDefault(r => r.Name == name) is { } there)
        {
            if (there != added)
                throw new ArgumentException($"There is a handshake of the name '{name}' already.", nameof(name));
            return;
        }

        services.AddSingleton(added);
        services.TryAddSingleton<T>();
    }

    /// <summary>The names of all registered handshakes.</summary>
    public static IReadOnlyList<string> NamesIn(IServiceCollection services) => [.. In(services).Select(r => r.Name)];

    private static IEnumerable<HandshakeRegistration> In(IServiceCollection services) =>
        services.Where(s => s.ServiceType == typeof(HandshakeRegistration)).Select(s => s.ImplementationInstance).OfType<HandshakeRegistration>();
}
