using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What the registry needs to know of the configuration in force.</summary>
/// <param name="Policy">The pairing policy.</param>
/// <param name="Lifetimes">How long things stay on record.</param>
/// <param name="Limits">How many requests may be open.</param>
public sealed record PairingRules(PairingPolicy Policy, Lifetimes Lifetimes, PendingLimits Limits);
