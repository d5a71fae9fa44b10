using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>A session token that a gateway of the registry has issued, and that is not too old.</summary>
/// <param name="Claim">What it is for: a device, a role and scopes in an audience, by a version of the device's record.</param>
/// <param name="Age">How long ago it was issued.</param>
internal sealed record SessionToken(DeviceClaim Claim, TimeSpan Age);
