using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

internal static partial class AdminLog
{
    [LoggerMessage(301, LogLevel.Information, "Operator {Operator} approved request {Request} of device {Device}: role {Role}, scopes [{Scopes}]")]
    public static partial void Approved(ILogger logger, string @operator, RequestId request, DeviceId device, string role, ScopeSet scopes);

    [LoggerMessage(302, LogLevel.Information, "Operator {Operator} rejected request {Request} of device {Device}: role {Role}, scopes [{Scopes}]")]
    public static partial void Rejected(ILogger logger, string @operator, RequestId request, DeviceId device, string role, ScopeSet scopes);

    [LoggerMessage(303, LogLevel.Information, "Operator {Operator} removed device {Device}")]
    public static partial void Removed(ILogger logger, string @operator, DeviceId device);

    [LoggerMessage(304, LogLevel.Warning, "The registry does not answer an operator's request: {Reason}")]
    public static partial void RegistryUnavailable(ILogger logger, string reason);

    [LoggerMessage(305, LogLevel.Error, "An operator's request failed")]
    public static partial void Failed(ILogger logger, Exception exception);
}
