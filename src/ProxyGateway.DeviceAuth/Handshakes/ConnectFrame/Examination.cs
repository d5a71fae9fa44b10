using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>What came of a message.</summary>
/// <param name="Request">The request; null if it is none.</param>
/// <param name="Malformed">What the client is told if it is none.</param>
/// <param name="Failure">What is wrong with the proof.</param>
/// <param name="Claim">What is proved; null if something is wrong.</param>
internal readonly record struct Examination(ConnectRequest? Request, Refusal? Malformed, ProofFailure Failure, DeviceClaim? Claim);
