using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>A proof that its device made for this request with a fresh nonce. Whether it was used before is not known yet.</summary>
/// <param name="Claim">The verified claim.</param>
/// <param name="Id">The proof's id, which its device uses once.</param>
/// <param name="NonceAge">How long ago its nonce was issued.</param>
internal sealed record VerifiedProof(DeviceClaim Claim, string Id, TimeSpan NonceAge);
