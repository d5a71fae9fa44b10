using Microsoft.Extensions.DependencyInjection;

namespace ProxyGateway.DeviceAuth;

/// <summary>
/// The gate of an application. It needs a store (<c>AddSqliteStore</c> and <c>AddRedisStore</c> are in separate packages); other parts are
/// optional.
/// </summary>
public interface IDeviceAuthorizationBuilder
{
    /// <summary>The application's services.</summary>
    IServiceCollection Services { get; }
}
