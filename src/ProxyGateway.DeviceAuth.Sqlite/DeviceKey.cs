using System.Globalization;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>
/// The number by which a file finds a device: the first 63 bits of its id. If two devices ever shared it, the second could not be written,
/// and would be refused as if the registry were unavailable.
/// </summary>
internal static class DeviceKey
{
    public static long Of(DeviceId id) =>
        (long)(ulong.Parse(id.ToString().AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) >> 1);
}
