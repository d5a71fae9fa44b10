using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Sqlite;

internal static partial class Log
{
    [LoggerMessage(21, LogLevel.Warning, "The document of device {Device} is damaged. The device is left out of lists and not admitted until an operator removes it.")]
    public static partial void DamagedDocument(ILogger logger, object device, Exception exception);

    [LoggerMessage(22, LogLevel.Warning, "The registry's file has a row under '{Id}', which is no device's id. It is left out of lists.")]
    public static partial void ForeignRow(ILogger logger, string id);

    [LoggerMessage(7, LogLevel.Warning, "The registry's file {Path} was open to other users of this machine; now it is closed to them. They may have read or changed it.")]
    public static partial void FileClosed(ILogger logger, string path);
}
