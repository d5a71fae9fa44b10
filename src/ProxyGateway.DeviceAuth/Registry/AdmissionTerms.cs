namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The terms by which a claim is decided.</summary>
/// <param name="Rules">The policy and bounds in force.</param>
/// <param name="MayAsk">Whether a claim that no grant covers may be approved or become a request; false if it lacks the shared
/// token.</param>
/// <param name="ByRules">Whether a rule may approve it; false if it may ask by an invitation alone, which approves its own grant and no other.</param>
internal readonly record struct AdmissionTerms(PairingRules Rules, bool MayAsk = true, bool ByRules = true);
