using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>
/// The client addresses that count as one client. One host may own a whole /64 of IPv6 addresses, and a process on this machine
/// every loopback address.
/// </summary>
public static class AddressBlock
{
    /// <summary>The block of clients without an address: peers on a Unix socket, and strangers whose address is unknown.</summary>
    public const string None = "-";

    /// <summary>Every address of this machine's loopback.</summary>
    public const string Loopback = "loopback";

    private const int HostBytes = 8;
    private const int SiteBytes = 6;

    /// <summary>The block of an address, in the text form of requests and sessions.</summary>
    /// <param name="address">The address; null if there is none.</param>
    public static string Of(string? address) =>
        address is null ? None : IPAddress.TryParse(address, out IPAddress? parsed) ? Of(parsed) : address;

    /// <summary>The block of an address: <c>loopback</c>, an IPv4 address, or the /64 of an IPv6 address.</summary>
    /// <param name="address">The address; null if there is none.</param>
    public static string Of(IPAddress? address) => Of(address, HostBytes);

    /// <summary>Like <see cref="Of(IPAddress?)"/>, but the /48 of an IPv6 address, which one site may own.</summary>
    /// <param name="address">The address; null if there is none.</param>
    public static string SiteOf(IPAddress? address) => Of(address, SiteBytes);

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
