using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>Whose budget a request takes from.</summary>
internal static class ClientName
{
    private const string OwnOrigin = "own";
    private const string OtherOrigin = "other";

    /// <summary>
    /// The client's address block. A browser's pages count apart from the programs on its machine, by their origin: else any page could use
    /// up what they have. There are no more of these than origins in the list and two, however a client spells its own.
    /// </summary>
    public static string Of(ClaimOrigin origin, HttpRequest request, DeviceAuthOptions options)
    {
        string block = AddressBlock.Of(origin.Address);
        StringValues origins = request.Headers.Origin;
        if (origins.Count == 0)
            return block;
        string page = !OriginCheck.Allows(request, options.AllowedOrigins)
            ? OtherOrigin
            : options.AllowedOrigins.FirstOrDefault(o => o.Equals(origins[0], StringComparison.OrdinalIgnoreCase)) ?? OwnOrigin;
        return $"{block} {page}";
    }
}
