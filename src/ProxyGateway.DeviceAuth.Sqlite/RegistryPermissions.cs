using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Files;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>
/// A user who can write to the registry's files decides who gets in. So they must belong to this user or root, in a folder in which nobody
/// else can replace them, and this user's own files are closed to everybody else.
/// </summary>
internal static class RegistryPermissions
{
    private const UnixFileMode Owners = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private static readonly ImmutableArray<string> Companions = ["", "-wal", "-shm", "-journal"];

    /// <summary>Checks the folder.</summary>
    /// <exception cref="RegistryUnavailableException">It must not be trusted; the message says why.</exception>
    public static void CheckFolder(string path)
    {
        if (FileTrust.WhyNotFolder(Path.GetDirectoryName(path)!) is { } why)
            throw new RegistryUnavailableException($"The registry {path} is not used. {why}");
    }

    /// <summary>
    /// Closes the registry's files to others. Only under the lock: when this closes a handle of a file, the process loses the locks that
    /// SQLite has on it.
    /// </summary>
    /// <exception cref="RegistryUnavailableException">One of them belongs to another user; the message names it.</exception>
    public static void CloseFiles(string path, ILogger logger)
    {
        foreach (string companion in Companions)
        {
            if (File.Exists(path + companion))
                CloseFile(path, path + companion, logger);
        }
    }

    private static void CloseFile(string registry, string path, ILogger logger)
    {
        if (OperatingSystem.IsWindows())
            return;
        FileStatus before = FileStatus.Of(path);
        if (!before.IsTrusted || !before.IsRegularFile)
            throw Refused(registry, path, before);
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        FileStatus status = FileStatus.Of(file.SafeFileHandle);
        if (status.IsTrusted && !status.IsOpenToOthers)
            return;
        if (!status.IsOwn)
            throw Refused(registry, path, status);
        File.SetUnixFileMode(file.SafeFileHandle, status.Mode & Owners);
        Log.FileClosed(logger, path);
    }

    private static RegistryUnavailableException Refused(string registry, string path, FileStatus status) =>
        new($"The registry {registry} is not used. {FileTrust.WhyNotSecret(status, path)}");
}
