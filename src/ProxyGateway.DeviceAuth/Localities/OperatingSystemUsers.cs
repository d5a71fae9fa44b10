using System.Buffers;
using System.Runtime.InteropServices;
using ProxyGateway.DeviceAuth.Files;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>The users that the C library knows: <c>/etc/passwd</c> and the machine's other configured sources.</summary>
internal sealed partial class OperatingSystemUsers : IOperatingSystemUsers
{
    private const int OutOfRange = 34; // ERANGE, the same on Linux and macOS
    private const int LargestBuffer = 1024 * 1024;

    /// <inheritdoc/>
    public uint? CurrentId => FileStatus.CurrentUser;

    /// <inheritdoc/>
    public unsafe uint? FindId(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (OperatingSystem.IsWindows())
            return null;

        for (int size = 4096; size <= LargestBuffer; size *= 4)
        {
            byte[] buffer = ArrayPool<byte>.Shared.Rent(size);
            try
            {
                fixed (byte* texts = buffer)
                {
                    int error = GetPasswordEntry(name, out PasswordEntry entry, texts, (nuint)buffer.Length, out nint found);
                    if (error == 0)
                        return found == 0 ? null : entry.UserId;
                    if (error != OutOfRange)
                        return null;
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }

        return null;
    }

    [LibraryImport("libc", EntryPoint = "getpwnam_r", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int GetPasswordEntry(string name, out PasswordEntry entry, byte* buffer, nuint length, out nint found);

    /// <summary>The beginning of <c>struct passwd</c>, which glibc, musl and macOS share; the rest is padding.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 128)]
    private readonly struct PasswordEntry
    {
        private readonly nint _name;
        private readonly nint _password;
        public readonly uint UserId;
    }
}
