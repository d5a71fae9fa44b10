using System.Net;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Where a connection comes from, as far as the policy is concerned.</summary>
/// <param name="IsLoopback">Whether every condition for loopback holds.</param>
/// <param name="Address">The client's address for CIDR rules; null if it cannot be told, and for loopback addresses, which no CIDR rule may match.</param>
/// <param name="IsBrowser">Whether the request carried an <c>Origin</c>, as browsers' requests do.</param>
/// <param name="Peer">The operating-system user at the other end of a loopback socket.</param>
public sealed record Locality(bool IsLoopback, IPAddress? Address = null, bool IsBrowser = false, PeerUser Peer = default);
