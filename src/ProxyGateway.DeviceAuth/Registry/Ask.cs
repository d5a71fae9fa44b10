using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>An ask, and the record after it.</summary>
/// <param name="Outcome">What became of it.</param>
/// <param name="Next">The record to write, where the outcome changed something.</param>
/// <param name="Request">The request that stands for the ask; null if there are too many.</param>
public sealed record Ask(AskOutcome Outcome, DeviceRecord Next, PairingRequest? Request);
