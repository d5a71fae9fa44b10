using Microsoft.Extensions.DependencyInjection;

namespace ProxyGateway.DeviceAuth;

/// <inheritdoc cref="IDeviceAuthorizationBuilder"/>
internal sealed record DeviceAuthorizationBuilder(IServiceCollection Services) : IDeviceAuthorizationBuilder;
