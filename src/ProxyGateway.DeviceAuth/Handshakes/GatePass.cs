using Yarp.ReverseProxy.Model;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// A request feature: the gate has checked this request for this route. Without it nothing is forwarded (
/// <see cref="GateRequiredTransform"/>), nor with one for another route, to which a component behind the gate may have reassigned the
/// request.
/// </summary>
/// <param name="Route">The route whose metadata the gate used.</param>
internal sealed record GatePass(RouteModel Route);
