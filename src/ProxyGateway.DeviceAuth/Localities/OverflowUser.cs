using System.Globalization;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>
/// The id that the kernel shows instead of every user whom this process's user namespace does not know, user_namespaces(7). Many users have
/// it, so it tells nobody apart, whether or not a user of that id exists too, and even if the gateway runs as that.
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
