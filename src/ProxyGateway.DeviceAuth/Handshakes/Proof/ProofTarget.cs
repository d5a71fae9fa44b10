using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>The request that a proof must be for.</summary>
/// <param name="Method">Its method; of a WebSocket always <c>GET</c>.</param>
/// <param name="Path">Its path, exactly as it was received, without query.</param>
/// <param name="TokenHash">The hash of the token that came with the proof; null if there was none.</param>
/// <param name="Role">The role of a proof that names none.</param>
/// <param name="Scopes">The scopes of a proof that names none.</param>
internal sealed record ProofTarget(string Method, string Path, string? TokenHash, string Role, ScopeSet Scopes)
{
    /// <summary>Whether the proof must name the token's hash: with a session token, which would else go with any proof.</summary>
    public bool NeedsTokenHash { get; init; }
}
