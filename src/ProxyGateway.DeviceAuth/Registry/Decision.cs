using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>An operator's decision, and the record after it.</summary>
/// <param name="Outcome">The result.</param>
/// <param name="Record">The record, changed if <see cref="DecisionOutcome.Done"/>.</param>
/// <param name="Request">The request in its present state; null if the decision was not about one, or there is none.</param>
public sealed record Decision(DecisionOutcome Outcome, DeviceRecord Record, PairingRequest? Request = null);
