using Yarp.ReverseProxy.Model;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// A request feature: the gate has seen this request, as one of this route. Without it nothing is forwarded (<see cref="GateRequiredTransform"/>),
/// and none of another route either, to which a component behind the gate may have reassigned it.
/// </summary>
/// <param name="Route">The route whose metadata the gate went by.</param>
internal sealed record GatePass(RouteModel Route);
