using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A device's request for approval, and the record after it.</summary>
/// <param name="Outcome">The result.</param>
/// <param name="Next">The record to write, if the outcome changed something.</param>
/// <param name="Request">The request; null if there are too many.</param>
internal sealed record Ask(AskOutcome Outcome, DeviceRecord Next, PairingRequest? Request);
