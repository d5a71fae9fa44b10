using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>Registers the registry in one file.</summary>
public static class SqliteDeviceStoreExtensions
{
    /// <summary>
    /// Keeps devices in one SQLite file, for one gateway. The file is opened when the <see cref="IDeviceStore"/> is first asked for;
    /// its time is the registered <see cref="TimeProvider"/>'s.
    /// </summary>
    public static IServiceCollection AddSqliteDeviceStore(this IServiceCollection services, SqliteStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        services.TryAddSingleton(TimeProvider.System);
        return services.AddSingleton<IDeviceStore>(provider => SqliteDeviceStore.Open(
            options, provider.GetRequiredService<TimeProvider>(), provider.GetService<ILogger<SqliteDeviceStore>>()));
    }
}
