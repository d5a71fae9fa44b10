namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>The result of verifying a proof.</summary>
/// <param name="Proof">The proof; null if it does not hold.</param>
/// <param name="Fault">Why it does not hold; null if it does.</param>
/// <param name="ClockOffset">
/// How far the client's clock is ahead of the gateway's by the claim <c>iat</c>, in seconds; null if it is not known. Nothing is decided by it.
/// </param>
internal sealed record ProofExamination(VerifiedProof? Proof, ProofFault? Fault, double? ClockOffset);
