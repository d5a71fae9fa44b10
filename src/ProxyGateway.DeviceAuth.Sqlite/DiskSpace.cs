namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>What is free on a disk, and how much it has.</summary>
internal readonly record struct DiskSpace(long Free, long Total)
{
    private const long Reserve = 256L * 1024 * 1024;

    /// <summary>
    /// Beneath this strangers' history grows no more, and beneath half of it that of devices, but for a 64th of this: the rest is for what operators
    /// change.
    /// </summary>
    public long Reserved => Math.Min(Reserve, Total / 8);

    /// <summary>Whether there is so little that not even that 64th is given.</summary>
    public bool IsFull => Free < Reserved / 4;

    /// <summary>Of the disk with this file; without bounds if that cannot be told.</summary>
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
