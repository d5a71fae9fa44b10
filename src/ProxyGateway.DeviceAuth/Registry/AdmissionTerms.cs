namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>By what a claim is decided.</summary>
/// <param name="Rules">The policy and bounds in force.</param>
/// <param name="MayAsk">Whether it may be approved, or ask to be, where it is not covered already; false if it lacks the shared token.</param>
public readonly record struct AdmissionTerms(PairingRules Rules, bool MayAsk = true);
