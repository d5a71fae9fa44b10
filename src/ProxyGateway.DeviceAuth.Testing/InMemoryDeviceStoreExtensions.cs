using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>Registers the registry in memory.</summary>
public static class InMemoryDeviceStoreExtensions
{
    /// <summary>Keeps devices and audit in memory.</summary>
    /// <param name="gate">The gate.</param>
    /// <param name="store">
    /// A store that is shared, or that outlives the application; null for one of the application's own, whose time is the registered
    /// <see cref="TimeProvider"/>'s.
    /// </param>
    public static IDeviceAuthorizationBuilder AddInMemoryStore(this IDeviceAuthorizationBuilder gate, InMemoryDeviceStore? store = null)
    {
        ArgumentNullException.ThrowIfNull(gate);
        if (store is not null)
        {
            // As instances: a container disposes of objects that it makes, though others may still use this one.
            gate.Services.AddSingleton(store).AddSingleton<IDeviceStore>(store).AddSingleton<ILastSeenStore>(store).AddSingleton<IAuditStore>(store)
                .AddSingleton<ISharedDocumentStore>(store);
            return gate;
        }

        gate.Services.AddSingleton<InMemoryDeviceStore>();
        gate.Services.AddSingleton<IDeviceStore>(services => services.GetRequiredService<InMemoryDeviceStore>());
        gate.Services.AddSingleton<ILastSeenStore>(services => services.GetRequiredService<InMemoryDeviceStore>());
        gate.Services.AddSingleton<IAuditStore>(services => services.GetRequiredService<InMemoryDeviceStore>());
        gate.Services.AddSingleton<ISharedDocumentStore>(services => services.GetRequiredService<InMemoryDeviceStore>());
        return gate;
    }
}
