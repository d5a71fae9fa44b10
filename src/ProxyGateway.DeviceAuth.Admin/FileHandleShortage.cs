namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Whether a file could not be opened because the process, or the system, has no handle left.</summary>
internal static class FileHandleShortage
{
    private const int OfSystem = 23; // ENFILE
    private const int OfProcess = 24; // EMFILE

    /// <summary>Whether this caused the exception, at any depth. The codes are those of Unix.</summary>
    public static bool IsCauseOf(Exception exception) =>
        !OperatingSystem.IsWindows()
        && ((exception is IOException && exception.HResult is OfSystem or OfProcess) || (exception.InnerException is { } inner && IsCauseOf(inner)));
}
