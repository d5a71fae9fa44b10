using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>An endpoint of the gate's own below <see cref="ReservedPaths.Prefix"/>. No route sees its requests.</summary>
internal interface IReservedEndpoint
{
    /// <summary>The rest of its path, without a slash.</summary>
    string Name { get; }

    /// <summary>Its method; HEAD goes with GET.</summary>
    string Method { get; }

    /// <summary>As what its requests are counted among handshakes; null: they are none.</summary>
    string? Handshake => null;

    /// <summary>Answers a request, whose rate and origin are checked.</summary>
    /// <param name="http">The request.</param>
    /// <param name="origin">Where it comes from.</param>
    Task AnswerAsync(HttpContext http, ClaimOrigin origin);
}
