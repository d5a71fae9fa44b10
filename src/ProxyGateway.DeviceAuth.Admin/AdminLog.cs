using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Admin;

internal static partial class AdminLog
{
    [LoggerMessage(301, LogLevel.Information, "Operator {Operator} approved request {Request} of device {Device}: role {Role}, scopes [{Scopes}]")]
    public static partial void Approved(ILogger logger, string @operator, object request, object device, string role, string scopes);

    [LoggerMessage(302, LogLevel.Information, "Operator {Operator} rejected request {Request} of device {Device}: role {Role}, scopes [{Scopes}]")]
    public static partial void Rejected(ILogger logger, string @operator, object request, object device, string role, string scopes);

    [LoggerMessage(303, LogLevel.Information, "Operator {Operator} removed device {Device}")]
    public static partial void Removed(ILogger logger, string @operator, object device);

    [LoggerMessage(306, LogLevel.Information, "Operator {Operator} set role {Role} of device {Device} to [{Scopes}], until {Until}")]
    public static partial void GrantSet(ILogger logger, string @operator, string role, object device, string scopes, object? until);

    [LoggerMessage(307, LogLevel.Information, "Operator {Operator} took role {Role} from device {Device}")]
    public static partial void GrantTaken(ILogger logger, string @operator, string role, object device);

    [LoggerMessage(308, LogLevel.Information, "Operator {Operator} set the label of device {Device} to {Label}")]
    public static partial void Labelled(ILogger logger, string @operator, object device, string? label);

    [LoggerMessage(309, LogLevel.Information, "Operator {Operator} blocked device {Device}")]
    public static partial void Blocked(ILogger logger, string @operator, object device);

    [LoggerMessage(312, LogLevel.Information, "Operator {Operator} unblocked device {Device}")]
    public static partial void Unblocked(ILogger logger, string @operator, object device);

    [LoggerMessage(313, LogLevel.Information, "Operator {Operator} imported devices: {Added} added, {Extended} extended, of {Count}")]
    public static partial void Imported(ILogger logger, string @operator, object added, object extended, object count);

    [LoggerMessage(314, LogLevel.Information, "Operator {Operator} took back what rule {Rule} approved: {Removed} devices removed, {Narrowed} narrowed")]
    public static partial void RemovedByRule(ILogger logger, string @operator, string? rule, object removed, object narrowed);

    [LoggerMessage(317, LogLevel.Information, "Operator {Operator} ended session {Session} of device {Device}, user {User}")]
    public static partial void SessionEnded(ILogger logger, string @operator, object session, object? device, object? user);

    [LoggerMessage(318, LogLevel.Information, "Operator {Operator} made invitation {Invitation}: role {Role}, scopes [{Scopes}], uses {Uses}, until {Until}")]
    public static partial void Invited(ILogger logger, string @operator, string invitation, string role, string scopes, object uses, object until);

    [LoggerMessage(319, LogLevel.Information, "Operator {Operator} withdrew invitation {Invitation}: role {Role}")]
    public static partial void Withdrawn(ILogger logger, string @operator, string invitation, string role);

    [LoggerMessage(304, LogLevel.Warning, "The registry does not answer an operator's request: {Reason}")]
    public static partial void RegistryUnavailable(ILogger logger, string reason);

    [LoggerMessage(305, LogLevel.Error, "An operator's request failed")]
    public static partial void Failed(ILogger logger, Exception exception);

    [LoggerMessage(106, LogLevel.Warning, "{Key} was changed; the change takes effect at the next start.", EventName = "StartOnly")]
    public static partial void StartOnly(ILogger logger, string key);
}
