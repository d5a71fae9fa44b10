using System.Net;
using System.Net.Sockets;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>
/// The neighbours of a client address: the /24 of an IPv4 address, the /48 of an IPv6 address. One customer of a provider can own about
/// that many addresses.
/// </summary>
internal static class Subnet
{
    private const int Ipv4Bytes = 3;
    private const int Ipv6Bytes = 6;

    /// <summary>The subnet of an address, as in <c>192.0.2.0/24</c>; null for loopback, and where there is no address.</summary>
    /// <param name="address">The address; null if there is none.</param>
    public static string? Of(string? address)
    {
        if (!IPAddress.TryParse(address, out IPAddress? parsed))
            return null;
        if (parsed.IsIPv4MappedToIPv6)
            parsed = parsed.MapToIPv4();
        if (IPAddress.IsLoopback(parsed))
            return null;

        Span<byte> bytes = stackalloc byte[16];
        parsed.TryWriteBytes(bytes, out int length);
        int kept = parsed.AddressFamily == AddressFamily.InterNetworkV6 ? Ipv6Bytes : Ipv4Bytes;
        bytes[kept..].Clear();
        return $"{new IPAddress(bytes[..length])}/{kept * 8}";
    }
}
