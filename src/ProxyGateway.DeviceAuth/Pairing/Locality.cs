using System.Net;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>The origin of a connection, as the policy needs it.</summary>
/// <param name="IsLoopback">Whether every condition for loopback holds.</param>
/// <param name="Address">The client's address for CIDR rules; null if it is unknown, and for loopback addresses, which no CIDR rule may
/// match.</param>
/// <param name="IsBrowser">Whether the request carried an <c>Origin</c> or <c>Sec-Fetch-Site</c>, as browsers' requests do.</param>
/// <param name="Peer">The operating-system user at the other end of a loopback socket.</param>
public sealed record Locality(bool IsLoopback, IPAddress? Address = null, bool IsBrowser = false, PeerUser Peer = default);
