using System.Net;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Redis;

internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Warning, "Redis at {EndPoint} cannot be reached ({Failure}). Nobody is admitted until it answers again.")]
    public static partial void ConnectionLost(ILogger logger, EndPoint? endPoint, object failure);

    [LoggerMessage(2, LogLevel.Information, "Redis at {EndPoint} answers again.")]
    public static partial void ConnectionRestored(ILogger logger, EndPoint? endPoint);

    [LoggerMessage(5, LogLevel.Warning, "The document of device {Device} is damaged. The device is left out of lists and not admitted until an operator removes it.")]
    public static partial void DamagedDocument(ILogger logger, object device, Exception exception);

    [LoggerMessage(6, LogLevel.Warning, "An index held '{Member}', which is no gateway's entry. It was removed.")]
    public static partial void ForeignMember(ILogger logger, string member);

    [LoggerMessage(4, LogLevel.Warning, "Redis cannot be reached yet. {Reason} Nobody is admitted until it answers.")]
    public static partial void NotConnected(ILogger logger, string reason);

    [LoggerMessage(3, LogLevel.Debug, "An index could not be updated; the next reader repairs it.")]
    public static partial void IndexLeftBehind(ILogger logger, Exception exception);

    [LoggerMessage(10, LogLevel.Information, "Announcements of other gateways' changes arrive.")]
    public static partial void AnnouncementsHeard(ILogger logger);

    [LoggerMessage(11, LogLevel.Warning, "Announcements of other gateways' changes may be lost; live sessions are checked as soon as they arrive again.")]
    public static partial void AnnouncementsLost(ILogger logger);
}
