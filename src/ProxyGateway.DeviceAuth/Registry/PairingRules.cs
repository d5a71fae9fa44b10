using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The part of the configuration in force that the registry needs.</summary>
/// <param name="Policy">The pairing policy.</param>
/// <param name="Lifetimes">How long records are kept.</param>
/// <param name="Limits">The bounds of open requests.</param>
public sealed record PairingRules(PairingPolicy Policy, Lifetimes Lifetimes, PendingLimits Limits);
