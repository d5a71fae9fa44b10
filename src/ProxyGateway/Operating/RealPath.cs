using System.Runtime.InteropServices;

namespace ProxyGateway.Operating;

/// <summary>The target of a path, without links and <c>..</c>.</summary>
internal static partial class RealPath
{
    /// <exception cref="IOException">It leads nowhere.</exception>
    public static string Of(string path)
    {
        if (OperatingSystem.IsWindows())
            return Path.GetFullPath(path);
        nint found = Resolve(path, 0);
        if (found == 0)
            throw new IOException($"{Marshal.GetLastPInvokeErrorMessage()}: {path}");
        try
        {
            return Marshal.PtrToStringUTF8(found)!;
        }
        finally
        {
            Free(found);
        }
    }

    /// <summary>Whether the target of a path lies in a folder or beneath it.</summary>
    /// <exception cref="IOException">One of them leads nowhere.</exception>
    public static bool IsBeneath(string path, string folder) =>
        Of(path).StartsWith(Of(folder).TrimEnd('/') + '/', StringComparison.Ordinal);

    [LibraryImport("libc", EntryPoint = "realpath", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Resolve(string path, nint buffer);

    [LibraryImport("libc", EntryPoint = "free")]
    private static partial void Free(nint pointer);
}
