using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Admin;

internal static partial class AccessLog
{
    [LoggerMessage(341, LogLevel.Warning, "The operators' keys have changed: added [{Added}], removed [{Removed}], changed [{Changed}]")]
    public static partial void KeysChanged(ILogger logger, string added, string removed, string changed);

    [LoggerMessage(342, LogLevel.Warning, "The operators' key file was missing; a new key was made, in {File}")]
    public static partial void KeyCreated(ILogger logger, string file);

    [LoggerMessage(343, LogLevel.Error, "No operator is admitted until the key file is valid: {Reason}")]
    public static partial void KeyFileUnfit(ILogger logger, string reason);

    [LoggerMessage(30, LogLevel.Warning, "The operators' key file cannot be read because no file handle is left; the previous key stays valid: {Reason}")]
    public static partial void KeyFilePutOff(ILogger logger, string reason);

    [LoggerMessage(344, LogLevel.Warning, "Without a valid key, {Address} made {Count} requests to the operators' endpoints")]
    public static partial void Refused(ILogger logger, string address, int count);
}
