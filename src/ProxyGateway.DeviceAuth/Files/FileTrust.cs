using Microsoft.Win32.SafeHandles;

namespace ProxyGateway.DeviceAuth.Files;

/// <summary>Why a file must not be trusted, in words that say what to do about it; null if it may be.</summary>
static partial class FileTrust
{
    /// <summary>A file whose content only its owner may know: this user's or root's, and nobody else can read or write it.</summary>
    public static string? WhyNotSecret(SafeFileHandle file, string path) => WhyNotSecret(FileStatus.Of(file), path);

    /// <inheritdoc cref="WhyNotSecret(SafeFileHandle, string)"/>
    public static string? WhyNotSecret(FileStatus status, string path)
    {
        if (WhyNotOwn(status, path) is { } why)
            return why;
        return status.IsOpenToOthers ? $"{path} can be read or written by others than its owner; run: chmod 600 {path}" : null;
    }

    /// <summary>A file that others may read: this user's or root's, and nobody else can write it.</summary>
    public static string? WhyNotSettled(FileStatus status, string path)
    {
        if (WhyNotOwn(status, path) is { } why)
            return why;
        return status.IsWritableByOthers ? $"{path} can be written by others than its owner; run: chmod go-w {path}" : null;
    }

    /// <summary>A folder in which nobody but this user and root can put one file in the place of another.</summary>
    public static string? WhyNotFolder(string path)
    {
        FileStatus status = FileStatus.Of(path);
        if (!status.IsTrusted)
            return $"The folder {path} belongs to user {status.Owner}, who can replace what is in it, and neither to this user ({FileStatus.CurrentUser}) nor to root";
        return status.LetsOthersReplace
            ? $"In the folder {path} others than its owner can replace files; run: chmod go-w {path} (or use a folder of its own)"
            : null;
    }

    private static string? WhyNotOwn(FileStatus status, string path)
    {
        if (!status.IsTrusted)
            return $"{path} belongs to user {status.Owner}, and neither to this user ({FileStatus.CurrentUser}) nor to root; give it to the right user, or run this as that user";
        return status.IsRegularFile ? null : $"{path} is no regular file";
    }
}
