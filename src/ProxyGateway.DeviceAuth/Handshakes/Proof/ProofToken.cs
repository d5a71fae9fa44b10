using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>A proof as it was read: well-formed, and not verified.</summary>
internal sealed record ProofToken
{
    /// <summary>The key that it says it is signed with.</summary>
    public required ProofKey Key { get; init; }

    /// <summary>The claim <c>htm</c>; null if it is no text.</summary>
    public required string? Method { get; init; }

    /// <summary>The claim <c>htu</c>; null if it is no text.</summary>
    public required string? Url { get; init; }

    /// <summary>The claim <c>nonce</c>; null if there is none.</summary>
    public required string? Nonce { get; init; }

    /// <summary>The claim <c>jti</c>, 1 to 128 visible ASCII characters.</summary>
    public required string Id { get; init; }

    /// <summary>The claim <c>iat</c>, in seconds since 1970 by the client's clock.</summary>
    public required double IssuedAt { get; init; }

    /// <summary>The claim <c>ath</c>; null if there is none.</summary>
    public required string? TokenHash { get; init; }

    /// <summary>The requested role; null if there is none.</summary>
    public required string? Role { get; init; }

    /// <summary>The requested scopes; null if there are none, which is not the same as an empty set.</summary>
    public required ScopeSet? Scopes { get; init; }

    /// <summary>The client's description of itself.</summary>
    public required ClientDescription Client { get; init; }

    /// <summary>The invitation whose secret it has; null if it has none.</summary>
    public string? InvitationId { get; init; }

    /// <summary>The bytes that are signed: header and payload as they came, with the dot between.</summary>
    public required byte[] Signed { get; init; }

    /// <summary>The signature.</summary>
    public required byte[] Signature { get; init; }
}
