using System.Runtime.InteropServices;
using System.Text;

namespace ProxyGateway.DeviceAuth.Client;

/// <summary>A small file that only its owner may read.</summary>
internal static partial class KeyFile
{
    private const int MaxBytes = 16 * 1024;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Others =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>Reads the file.</summary>
    /// <exception cref="InvalidDataException">Others than its owner can read it or write it, or it is longer than a key's file can be.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static string Read(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);

        // The open file is checked, since the path may lead to another file by now.
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(file.SafeFileHandle) & Others) != UnixFileMode.None)
            throw new InvalidDataException($"{path} can be read or written by others than its owner; run: chmod 600 {path}");
        if (file.Length > MaxBytes)
            throw new InvalidDataException($"{path} is longer than {MaxBytes} bytes, so it is no device's identity");
        using var reader = new StreamReader(file, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        return reader.ReadToEnd();
    }

    /// <summary>Writes the file unless it exists; false if it does. It appears whole or not at all.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public static bool TryCreate(string path, string content)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
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

    private static void Write(string path, string content)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = OwnerOnly;
        using var file = new FileStream(path, options);
        file.Write(Encoding.UTF8.GetBytes(content));
        file.Flush(flushToDisk: true);
    }

    // File.Move would replace what another process has made in the meantime; link(2) fails if the name exists.
    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string path);
}
