namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The gateway knows the key.</summary>
/// <param name="Proof">The gateway's proof, as base64url.</param>
public sealed record ProofView(string Proof);
