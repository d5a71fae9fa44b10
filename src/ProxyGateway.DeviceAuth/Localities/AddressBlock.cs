using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>
/// Which client addresses count as one client's. One host may have a whole /64 of IPv6 addresses to itself, and a process on this machine
/// every loopback address.
/// </summary>
public static class AddressBlock
{
    /// <summary>Who has no address: peers on a Unix socket, and strangers whose address cannot be told.</summary>
    public const string None = "-";

    /// <summary>Every address of this machine's loopback.</summary>
    public const string Loopback = "loopback";

    private const int HostBytes = 8;
    private const int SiteBytes = 6;

    /// <summary>The block of an address as requests and sessions have it.</summary>
    /// <param name="address">The address; null if there is none.</param>
    public static string Of(string? address) =>
        address is null ? None : IPAddress.TryParse(address, out IPAddress? parsed) ? Of(parsed) : address;

    /// <summary>The block of an address: <c>loopback</c>, an IPv4 address, or the /64 of an IPv6 address.</summary>
    /// <param name="address">The address; null if there is none.</param>
    public static string Of(IPAddress? address) => Of(address, HostBytes);

    /// <summary>Like <see cref="Of(IPAddress?)"/>, but the /48 of an IPv6 address: what one site may have.</summary>
    /// <param name="address">The address; null if there is none.</param>
    internal static string SiteOf(IPAddress? address) => Of(address, SiteBytes);

    internal static string Of(IPAddress? address, int bytesOfIPv6)
    {
        if (address is null)
            return None;
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (IPAddress.IsLoopback(address))
            return Loopback;
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
            return address.ToString();

        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        bytes[bytesOfIPv6..].Clear();
        return string.Create(CultureInfo.InvariantCulture, $"{new IPAddress(bytes)}/{8 * bytesOfIPv6}");
    }
}
