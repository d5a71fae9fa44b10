using System.Net;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Warning, "Redis at {EndPoint} cannot be reached ({Failure}). Nobody is admitted until it answers again.")]
    public static partial void ConnectionLost(ILogger logger, EndPoint? endPoint, ConnectionFailureType failure);

    [LoggerMessage(2, LogLevel.Information, "Redis at {EndPoint} answers again.")]
    public static partial void ConnectionRestored(ILogger logger, EndPoint? endPoint);

    [LoggerMessage(4, LogLevel.Warning, "Redis cannot be reached yet. {Reason} Nobody is admitted until it answers.")]
    public static partial void NotConnected(ILogger logger, string reason);

    [LoggerMessage(3, LogLevel.Debug, "An index could not be brought up to date; the next reader repairs it.")]
    public static partial void IndexLeftBehind(ILogger logger, Exception exception);
}
