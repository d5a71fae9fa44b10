namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>The free and the total space of a disk, in bytes.</summary>
internal readonly record struct DiskSpace(long Free, long Total)
{
    private const long Reserve = 256L * 1024 * 1024;

    /// <summary>
    /// Beneath this the strangers' history stops growing, and beneath half of it that of devices, except for a 64th of this: the rest is
    /// for operators' changes.
    /// </summary>
    public long Reserved => Math.Min(Reserve, Total / 8);

    /// <summary>Whether so little is left that not even that 64th is given.</summary>
    public bool IsFull => Free < Reserved / 4;

    /// <summary>The space of the disk with this file; without bounds if it is unknown.</summary>
    public static DiskSpace Of(string path)
    {
        try
        {
            var drive = new DriveInfo(Path.GetDirectoryName(path)!);
            return new DiskSpace(drive.AvailableFreeSpace, drive.TotalSize);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return new DiskSpace(long.MaxValue, long.MaxValue);
        }
    }
}
