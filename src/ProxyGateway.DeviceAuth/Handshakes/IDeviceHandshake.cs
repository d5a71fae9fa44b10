using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// One way for a device to name itself and prove it. Routes choose it by name. On every path a handshake forwards to the backend only what
/// its decision covers.
/// </summary>
internal interface IDeviceHandshake
{
    /// <summary>Passes a well-formed WebSocket upgrade to the rest of the pipeline, or refuses it.</summary>
    /// <param name="context">The upgrade request.</param>
    /// <param name="origin">The client's origin.</param>
    /// <param name="options">The options in force when it came. They bound the connection; the decision uses those in force then.</param>
    /// <param name="place">The place among the handshakes; to be disposed of as soon as the handshake ends, in any way.</param>
    /// <param name="next">The rest of YARP's pipeline, which forwards.</param>
    Task InvokeAsync(HttpContext context, ClaimOrigin origin, DeviceAuthOptions options, HandshakePlace place, RequestDelegate next);
}
