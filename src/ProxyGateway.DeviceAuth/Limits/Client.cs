using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>The budgets that a request takes from: the client's own, and those that it shares with ever more neighbours.</summary>
/// <param name="Keys">The budgets; each lies within the next.</param>
/// <param name="Host">The index of the key that decides whether the client is familiar, in budgets that all clients share.</param>
internal sealed record Client(ImmutableArray<ClientKey> Keys, int Host)
{
    private const int UsersMultiple = 4;
    private const string OwnOrigin = "own";
    private const string OtherOrigin = "other";

    // Usual IPv6 assignments to a host, a customer and a site (RFC 6177). A /48 holds 65,536 of /64, so a budget for each /64 alone would
    // bound nothing.
    private static readonly ImmutableArray<(int Bytes, int Multiple)> StepsOfIPv6 = [(8, 1), (7, 4), (6, 16)];

    /// <summary>
    /// An IPv4 address; an IPv6 address, its /64, /56 and /48; a user of this machine, and all users together. Pages in a browser are
    /// counted by their origin, separately from the programs on their machine: else any page could use up the programs' budget. These are
    /// at most two more than the listed origins, however a client spells an origin.
    /// </summary>
    public static Client Of(ClaimOrigin origin, HttpRequest request, DeviceAuthOptions options)
    {
        string page = PageOf(request, options);
        string block = AddressBlock.Of(origin.Address);
        if (block is AddressBlock.Loopback or AddressBlock.None)
        {
            PeerUser user = origin.LookUpPeerUser();
            string name = user.State == PeerUserState.Known ? user.UserId.ToString(CultureInfo.InvariantCulture) : "unknown";
            return new Client([new($"{block} user {name}{page}", 1), new(block + page, UsersMultiple)], Host: 0);
        }

        if (!IPAddress.TryParse(origin.Address, out IPAddress? address) || address.IsIPv4MappedToIPv6 || address.AddressFamily != AddressFamily.InterNetworkV6)
            return new Client([new(block + page, 1)], Host: 0);
        return new Client(
            [new($"{address}{page}", 1), .. StepsOfIPv6.Select(s => new ClientKey(AddressBlock.Of(address, s.Bytes) + page, s.Multiple))], Host: 1);
    }

    private static string PageOf(HttpRequest request, DeviceAuthOptions options)
    {
        if (!OriginCheck.IsOfBrowser(request))
            return "";
        if (!OriginCheck.Allows(request, options.AllowedOrigins))
            return " " + OtherOrigin;
        return " " + (options.AllowedOrigins.FirstOrDefault(o => o.Equals(request.Headers.Origin, StringComparison.OrdinalIgnoreCase)) ?? OwnOrigin);
    }
}
