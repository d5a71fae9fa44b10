using System.Runtime.InteropServices;
using System.Text;

namespace ProxyGateway.DeviceAuth.Files;

/// <summary>A small file with a secret that only its owner may read.</summary>
static partial class PrivateFile
{
    private const int MaxBytes = 16 * 1024;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Reads the file; null if there is none.</summary>
    /// <exception cref="InvalidDataException">
    /// It belongs to another user (and not to root), others may read, write or replace it, or it is longer than such a secret can be.
    /// </exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static string? Read(string path)
    {
        if (!File.Exists(path))
            return null;

        // Before opening it: a file that somebody else put there (a pipe) could block the open.
        Refuse(FileTrust.WhyNotFolder(FolderOf(path)) ?? FileTrust.WhyNotSecret(FileStatus.Of(path), path));
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);

        // The open file is checked, since the path may lead to another file by now.
        Refuse(FileTrust.WhyNotSecret(file.SafeFileHandle, path));
        if (file.Length > MaxBytes)
            throw new InvalidDataException($"{path} is longer than {MaxBytes} bytes, so it is not the file it should be");
        using var reader = new StreamReader(file, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        return reader.ReadToEnd();
    }

    /// <summary>Writes the file unless it exists; false if it does. It appears whole or not at all.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public static bool TryCreate(string path, string content)
    {
        string folder = FolderOf(path);
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder);
        else
            Directory.CreateDirectory(folder, OwnerOnly | UnixFileMode.UserExecute);

        string draft = Path.Combine(folder, Path.GetRandomFileName());
        try
        {
            Write(draft, content);
            if (OperatingSystem.IsWindows())
                File.Move(draft, path, overwrite: false);
            else if (Link(draft, path) != 0)
                throw new IOException(Marshal.GetLastPInvokeErrorMessage());
            return true;
        }
        catch (IOException) when (File.Exists(path))
        {
            return false;
        }
        finally
        {
            File.Delete(draft);
        }
    }

    private static string FolderOf(string path) => Path.GetDirectoryName(Path.GetFullPath(path))!;

    private static void Refuse(string? why)
    {
        if (why is not null)
            throw new InvalidDataException(why);
    }

    private static void Write(string path, string content)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = OwnerOnly;
        using var file = new FileStream(path, options);
        file.Write(Encoding.UTF8.GetBytes(content));
        file.Flush(flushToDisk: true);
    }

    // File.Move checks whether the name exists and then renames over it: of two processes that start at the same time, the second would
    // replace the secret that the first has already read. link(2) fails if the name exists.
    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string path);
}
