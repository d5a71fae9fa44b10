using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>Registers the registry in one file.</summary>
public static class SqliteDeviceStoreExtensions
{
    /// <summary>
    /// Keeps devices and audit in one SQLite file, for one gateway. The file is opened when the <see cref="IDeviceStore"/> is first
    /// resolved, which throws <see cref="RegistryUnavailableException"/> if the file cannot be used; its clock is the registered
    /// <see cref="TimeProvider"/>.
    /// </summary>
    /// <param name="gate">The gate.</param>
    /// <param name="options">The file, and the bounds of its audit.</param>
    public static IDeviceAuthorizationBuilder AddSqliteStore(this IDeviceAuthorizationBuilder gate, SqliteStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(gate);
        gate.Services.AddSqliteDeviceStore(options);
        return gate;
    }

    internal static IServiceCollection AddSqliteDeviceStore(this IServiceCollection services, SqliteStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider => SqliteDeviceStore.Open(
            options, provider.GetRequiredService<TimeProvider>(), provider.GetService<ILogger<SqliteDeviceStore>>()));
        services.AddSingleton<IDeviceStore>(provider => provider.GetRequiredService<SqliteDeviceStore>());
        services.AddSingleton<ILastSeenStore>(provider => provider.GetRequiredService<SqliteDeviceStore>());
        services.AddSingleton<ISharedDocumentStore>(provider => provider.GetRequiredService<SqliteDeviceStore>());
        if (options.AuditEntries > 0)
            services.AddSingleton<IAuditStore>(provider => provider.GetRequiredService<SqliteDeviceStore>());
        return services;
    }
}
