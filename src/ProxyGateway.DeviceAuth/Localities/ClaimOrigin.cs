using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>Where a claim comes from.</summary>
/// <param name="Locality">For the policy.</param>
/// <param name="Address">For operators: the client's address; null if it is unknown.</param>
/// <param name="LookUpPeerUser">Finds the operating-system user of a loopback peer; called only when a rule depends on it.</param>
public sealed record ClaimOrigin(Locality Locality, string? Address, Func<PeerUser> LookUpPeerUser);
