using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>A running handshake.</summary>
/// <param name="Http">The upgrade request.</param>
/// <param name="Origin">The client's origin.</param>
/// <param name="Options">
/// The options that were in force when the connection came. The connection keeps its bounds in bytes and its time-outs; all other decisions
/// use
/// the options in force then.
/// </param>
/// <param name="Audience">The audience of the route: every claim of the handshake gets it.</param>
/// <param name="Place">Its place among the handshakes under way.</param>
internal sealed record HandshakeContext(HttpContext Http, ClaimOrigin Origin, DeviceAuthOptions Options, Audience Audience, HandshakePlace Place)
{
    /// <summary>Measures it; null if nobody listens.</summary>
    public HandshakeTrace? Trace { get; init; }

    /// <summary>Whether the client's connection is gone.</summary>
    public bool IsClientGone => Http.RequestAborted.IsCancellationRequested;
}
