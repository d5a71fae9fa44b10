using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>Registers the registry in Redis.</summary>
public static class RedisDeviceStoreExtensions
{
    /// <summary>Keeps devices in Redis, for any number of gateways. Redis need not be there yet; until it is, nobody is admitted.</summary>
    /// <exception cref="ArgumentException">The options cannot be used; the message says why.</exception>
    public static IServiceCollection AddRedisDeviceStore(this IServiceCollection services, RedisStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        RedisConnection.Validate(options);
        return services.AddSingleton<IDeviceStore>(provider =>
            new RedisDeviceStore(options, provider.GetService<ILogger<RedisDeviceStore>>() ?? NullLogger<RedisDeviceStore>.Instance));
    }
}
