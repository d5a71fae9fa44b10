using System.Globalization;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>
/// The id that the kernel shows for every user outside this process's user namespace, user_namespaces(7). Many users share
/// it, so it identifies nobody, even if a user with that id exists or the gateway runs as that user.
/// </summary>
internal static class OverflowUser
{
    private const uint Usual = 65534;

    /// <summary>The id. Read once, at first use.</summary>
    public static uint Id { get; } = Read();

    private static uint Read()
    {
        try
        {
            return uint.TryParse(File.ReadAllText("/proc/sys/kernel/overflowuid").Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out uint id) ? id : Usual;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Usual;
        }
    }
}
