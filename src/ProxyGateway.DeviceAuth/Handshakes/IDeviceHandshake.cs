using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// One way for a device to say who it is and to prove it. Chosen by name, per route. A handshake lets nothing of a client through to the
/// backend that its decision does not cover, on any path.
/// </summary>
internal interface IDeviceHandshake
{
    /// <summary>Takes a well-formed WebSocket upgrade through the rest of the pipeline, or refuses it.</summary>
    /// <param name="context">The upgrade request.</param>
    /// <param name="origin">Where it comes from.</param>
    /// <param name="options">The options in force when it came. They bound the connection; it is decided by those in force at the decision.</param>
    /// <param name="place">The place among the handshakes under way; to be disposed of as soon as the handshake is over, however it ends.</param>
    /// <param name="next">The rest of YARP's pipeline, which forwards.</param>
    Task InvokeAsync(HttpContext context, ClaimOrigin origin, DeviceAuthOptions options, HandshakePlace place, RequestDelegate next);
}
