namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>
/// A service of a program that bounds its connections: an upper bound on running handshakes besides
/// <see cref="DeviceAuthLimits.Handshakes"/>.
/// </summary>
/// <param name="Most">The bound, at least 1. It is called at each handshake, on several threads, and must not block.</param>
public sealed record HandshakeCeiling(Func<int> Most);
