using Microsoft.Extensions.DependencyInjection;

namespace ProxyGateway.DeviceAuth;

/// <summary>
/// The gate of an application, to which a store has to be added (<c>AddSqliteStore</c> and <c>AddRedisStore</c> are in packages of their own) and
/// other parts may be.
/// </summary>
public interface IDeviceAuthorizationBuilder
{
    /// <summary>The application's services.</summary>
    IServiceCollection Services { get; }
}
