using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// Reads addresses and networks in their canonical spelling. The framework also accepts <c>10/8</c> (as 0.0.0.0/8), <c>010.0.0.0</c> (as
/// octal) and host bits beyond the prefix, which rarely mean what the author wanted.
/// </summary>
internal static class NetworkNames
{
    private const int MappedBits = 96; // ::ffff:a.b.c.d

    /// <summary>Reads a network in CIDR notation. An IPv4-mapped IPv6 network becomes IPv4, like clients' addresses.</summary>
    public static bool TryParseNetwork(string text, out IPNetwork network)
    {
        network = default;
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0
            || !TryParseExactly(text[..slash], out IPAddress? address)
            || !int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int prefix))
        {
            return false;
        }

        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
            prefix -= MappedBits;
        }

        if (prefix < 0 || prefix > (address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128))
            return false;

        network = new IPNetwork(address, prefix);
        return network.BaseAddress.Equals(address); // no host bits
    }

    /// <summary>Reads an address as a network of one address.</summary>
    public static bool TryParseAddress(string text, out IPNetwork network)
    {
        network = default;
        if (!TryParseExactly(text, out IPAddress? address))
            return false;
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        network = new IPNetwork(address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128);
        return true;
    }

    /// <summary>Whether every address of the network is a loopback address.</summary>
    public static bool LiesWithinLoopback(IPNetwork network) => network.BaseAddress.AddressFamily == AddressFamily.InterNetwork
        ? network.PrefixLength >= 8 && IPAddress.IsLoopback(network.BaseAddress)
        : network.PrefixLength == 128 && IPAddress.IsLoopback(network.BaseAddress);

    private static bool TryParseExactly(string text, [NotNullWhen(true)] out IPAddress? address) =>
        IPAddress.TryParse(text, out address)
        && (address.AddressFamily == AddressFamily.InterNetwork
            ? address.ToString() == text
            : address.ScopeId == 0 && !text.Contains('%', StringComparison.Ordinal) && !text.StartsWith('['));
}
