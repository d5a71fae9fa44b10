using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The query <c>audience</c> of the lists.</summary>
internal static class AudienceQuery
{
    public const string Name = "audience";

    /// <summary>Reads it; null if it is absent. False if it is no audience, or there are several.</summary>
    public static bool TryRead(IQueryCollection query, out Audience? audience)
    {
        audience = null;
        if (!query.TryGetValue(Name, out var values))
            return true;
        if (values.Count != 1 || !Audience.TryParse(values[0], out Audience one))
            return false;
        audience = one;
        return true;
    }
}
