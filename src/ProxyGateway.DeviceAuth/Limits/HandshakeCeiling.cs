namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>An upper bound on handshakes under way, besides <see cref="DeviceAuthLimits.Handshakes"/>, for a program that bounds its connections: a service.</summary>
/// <param name="Most">How many there may be, at least 1. It is asked at each handshake, on several threads, and must not wait.</param>
public sealed record HandshakeCeiling(Func<int> Most);
