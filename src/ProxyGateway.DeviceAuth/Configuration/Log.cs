using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Configuration;

internal static partial class Log
{
    [LoggerMessage(100, LogLevel.Information, "Pairing policy: {Line}", EventName = "PairingPolicy")]
    public static partial void PairingPolicy(ILogger logger, string line);

    [LoggerMessage(101, LogLevel.Warning,
        "Rule {Rule} approves connections from anywhere ({From}) without an operator.",
        EventName = "RuleFromAnywhere")]
    public static partial void RuleFromAnywhere(ILogger logger, string rule, string from);

    [LoggerMessage(102, LogLevel.Warning,
        "Rule {Rule} names users, which the gateway can identify on Linux only: here it matches nobody.",
        EventName = "RuleWithUsersElsewhere")]
    public static partial void RuleWithUsersElsewhere(ILogger logger, string rule);

    [LoggerMessage(103, LogLevel.Information,
        "Rule {Rule} trusts every process on this machine, pod or container, including forwarders that add no header; Users narrows it down.",
        EventName = "RuleForAllUsers")]
    public static partial void RuleForAllUsers(ILogger logger, string rule);

    [LoggerMessage(1040, LogLevel.Information,
        "Rule {Rule} is about processes, not devices: {Who} can make a new key at any time and be {What}. UpTo limits this.",
        EventName = "RuleForProcesses")]
    public static partial void RuleForProcesses(ILogger logger, string rule, string who, string what);

    [LoggerMessage(1041, LogLevel.Warning,
        "DeviceAuth:Pairing:Deviceless admits clients without a device: any process of these users ({Users}) that knows the shared token gets {UpTo}. "
        + "No operator approves it, and no key tells one process from another.",
        EventName = "DevicelessClients")]
    public static partial void DevicelessClients(ILogger logger, string users, string upTo);

    [LoggerMessage(104, LogLevel.Information, "The configuration was reloaded.", EventName = "Reloaded")]
    public static partial void Reloaded(ILogger logger);

    [LoggerMessage(105, LogLevel.Error,
        "A reload of the configuration was refused; the previous one stays in force: {Error}",
        EventName = "ReloadRefused")]
    public static partial void ReloadRefused(ILogger logger, string error);

    [LoggerMessage(108, LogLevel.Error, "A reload was applied, but a part of the program failed to handle it.", EventName = "ReloadFailed")]
    public static partial void ReloadFailed(ILogger logger, Exception exception);

    [LoggerMessage(1210, LogLevel.Warning,
        "Rule {Rule} names user {User}, whose id the kernel shows for every user outside this user namespace: a process of that user is not recognised, and matches no rule.",
        EventName = "RuleWithOverflowUser")]
    public static partial void RuleWithOverflowUser(ILogger logger, string rule, object user);
}
