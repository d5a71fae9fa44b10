using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Admin;

internal static partial class AccessLog
{
    [LoggerMessage(341, LogLevel.Warning, "The operators' keys have changed: added [{Added}], removed [{Removed}], changed [{Changed}]")]
    public static partial void KeysChanged(ILogger logger, string added, string removed, string changed);

    [LoggerMessage(342, LogLevel.Warning, "There was no operators' key file any more, so that a new key was made, in {File}")]
    public static partial void KeyCreated(ILogger logger, string file);

    [LoggerMessage(343, LogLevel.Error, "No operator is let in until the key file is fit to be one: {Reason}")]
    public static partial void KeyFileUnfit(ILogger logger, string reason);

    [LoggerMessage(30, LogLevel.Warning, "The operators' key file cannot be looked at for want of a file handle; the key from before counts: {Reason}")]
    public static partial void KeyFilePutOff(ILogger logger, string reason);

    [LoggerMessage(344, LogLevel.Warning, "Without a key, or with a wrong one, {Address} asked {Count} times for what operators may see")]
    public static partial void Refused(ILogger logger, string address, int count);
}
