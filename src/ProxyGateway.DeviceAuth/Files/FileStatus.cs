using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ProxyGateway.DeviceAuth.Files;

/// <summary>
/// The owner of a file or folder and what other users may do with it, as the kernel reports it. Access control lists are not read.
/// </summary>
readonly partial struct FileStatus
{
    private const UnixFileMode OthersRead = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode OthersWrite = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    private const uint Root = 0;
    private const ushort RegularFile = 0x8000; // S_IFREG
    private const ushort SocketFile = 0xC000; // S_IFSOCK
    private const ushort TypeMask = 0xF000;

    private const int CurrentFolder = -100; // AT_FDCWD
    private const int EmptyPath = 0x1000; // AT_EMPTY_PATH: the descriptor's file
    private const uint Wanted = 0x1 | 0x2 | 0x8 | 0x100; // STATX_TYPE, STATX_MODE, STATX_UID, STATX_INO

    private readonly ushort _mode;

    private FileStatus(in Answer answer)
    {
        Owner = answer.Owner;
        _mode = answer.Mode;
        Identity = (answer.DeviceMajor, answer.DeviceMinor, answer.Inode);
    }

    private FileStatus(ushort mode) => _mode = mode;

    /// <summary>The user who owns it; null where the system does not report it in a known way (anywhere but on Linux).</summary>
    public uint? Owner { get; }

    /// <summary>
    /// The file's identity on this machine, independent of its name: device and inode; zero where <see cref="Owner"/> is null.
    /// </summary>
    public (uint Major, uint Minor, ulong Inode) Identity { get; }

    /// <summary>Whether the owner is the user of this process.</summary>
    public bool IsOwn => Owner is null || Owner == CurrentUser;

    /// <summary>Whether the owner is the user of this process, or root, who may do anything anyway.</summary>
    public bool IsTrusted => Owner is not { } owner || IsTrustedUser(owner);

    /// <summary>Whether it is a regular file.</summary>
    public bool IsRegularFile => Owner is null || (_mode & TypeMask) == RegularFile;

    /// <summary>Whether it is a Unix socket.</summary>
    public bool IsSocket => Owner is null || (_mode & TypeMask) == SocketFile;

    /// <summary>Whether others than the owner can write to it.</summary>
    public bool IsWritableByOthers => (Mode & OthersWrite) != UnixFileMode.None;

    /// <summary>Whether others than the owner can read it or write to it.</summary>
    public bool IsOpenToOthers => (Mode & (OthersRead | OthersWrite)) != UnixFileMode.None;

    /// <summary>
    /// Whether others can replace files in this folder. In a folder with the sticky bit, such as <c>/tmp</c>, they can replace only their
    /// own.
    /// </summary>
    public bool LetsOthersReplace => IsWritableByOthers && (Mode & UnixFileMode.StickyBit) == UnixFileMode.None;

    /// <summary>The bits for owner, group and others.</summary>
    public UnixFileMode Mode => (UnixFileMode)(_mode & ~TypeMask);

    /// <summary>The user of this process; null where users have no numbers.</summary>
    public static uint? CurrentUser { get; } = OperatingSystem.IsWindows() ? null : GetEffectiveUserId();

    /// <summary>Whether a user is that of this process, or root.</summary>
    public static bool IsTrustedUser(uint user) => user == CurrentUser || user == Root;

    /// <summary>The status of an open file, even if its name leads to another file by now.</summary>
    /// <exception cref="IOException">The system does not report it.</exception>
    public static FileStatus Of(SafeFileHandle handle)
    {
        if (OperatingSystem.IsWindows())
            return default;
        if (!OperatingSystem.IsLinux())
            return new FileStatus((ushort)File.GetUnixFileMode(handle));
        bool isHeld = false;
        try
        {
            handle.DangerousAddRef(ref isHeld);
            return Ask((int)handle.DangerousGetHandle(), "", EmptyPath);
        }
        finally
        {
            if (isHeld)
                handle.DangerousRelease();
        }
    }

    /// <summary>The status of the file or folder that a path leads to now, through links.</summary>
    /// <exception cref="IOException">The path leads nowhere, or the system does not report it.</exception>
    public static FileStatus Of(string path)
    {
        if (OperatingSystem.IsWindows())
            return default;
        return OperatingSystem.IsLinux() ? Ask(CurrentFolder, path, 0) : new FileStatus((ushort)File.GetUnixFileMode(path));
    }

    private static unsafe FileStatus Ask(int folder, string path, int flags)
    {
        Answer answer;
        if (GetStatus(folder, path, flags, Wanted, &answer) != 0)
            throw new IOException($"{Marshal.GetLastPInvokeErrorMessage()}{(path.Length > 0 ? ": " + path : "")}");
        return (answer.Mask & Wanted) == Wanted
            ? new FileStatus(answer)
            : throw new IOException($"The file system does not say who owns {path}");
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUserId();

    // struct stat differs between processors; struct statx is the same on all of them.
    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int GetStatus(int folder, string path, int flags, uint mask, Answer* answer);

    /// <summary>The beginning of <c>struct statx</c>; the rest is padding.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Answer
    {
        [FieldOffset(0)]
        public uint Mask;

        [FieldOffset(20)]
        public uint Owner;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }
}
