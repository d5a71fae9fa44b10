using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>The result of reading and verifying a message.</summary>
/// <param name="Request">The request; null if the message is no valid one.</param>
/// <param name="Malformed">The refusal if it is none.</param>
/// <param name="Failure">The error of the proof.</param>
/// <param name="Claim">The verified claim; null after an error.</param>
internal readonly record struct Examination(ConnectRequest? Request, Refusal? Malformed, ProofFailure Failure, DeviceClaim? Claim);
