using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>Registers the registry in Redis.</summary>
public static class RedisDeviceStoreExtensions
{
    /// <summary>
    /// Keeps devices and audit in Redis, for any number of gateways. Redis need not be up yet; until it is, nobody is admitted.
    /// </summary>
    /// <param name="gate">The gate.</param>
    /// <param name="options">The address of Redis, and how it is used.</param>
    /// <exception cref="ArgumentException">The options are invalid; the message says why.</exception>
    public static IDeviceAuthorizationBuilder AddRedisStore(this IDeviceAuthorizationBuilder gate, RedisStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(gate);
        gate.Services.AddRedisDeviceStore(options);
        return gate;
    }

    internal static IServiceCollection AddRedisDeviceStore(this IServiceCollection services, RedisStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        RedisConnection.Validate(options);
        services.AddSingleton(provider =>
            new RedisDeviceStore(options, provider.GetService<ILogger<RedisDeviceStore>>() ?? NullLogger<RedisDeviceStore>.Instance));
        services.AddSingleton<IDeviceStore>(provider => provider.GetRequiredService<RedisDeviceStore>());
        services.AddSingleton<ILastSeenStore>(provider => provider.GetRequiredService<RedisDeviceStore>());
        services.AddSingleton<ISharedDocumentStore>(provider => provider.GetRequiredService<RedisDeviceStore>());
        if (options.AuditEntries > 0)
            services.AddSingleton<IAuditStore>(provider => provider.GetRequiredService<RedisDeviceStore>());
        return services.AddHostedService(provider => new WarmUp(provider.GetRequiredService<RedisDeviceStore>()));
    }

    /// <summary>Hosted services start before the server listens.</summary>
    private sealed class WarmUp(RedisDeviceStore store) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => store.WarmUpAsync(cancellationToken);

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
