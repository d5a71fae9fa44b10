using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>The parts of a <c>connect</c> request that the gate uses. Well-formed, but not proved yet.</summary>
internal sealed record ConnectRequest
{
    /// <summary>The request's id, which the backend's answer repeats.</summary>
    public required string Id { get; init; }

    /// <summary>The highest protocol version that the client supports; 0 if it does not say.</summary>
    public required int MaxProtocol { get; init; }

    public required string ClientId { get; init; }

    public required string ClientMode { get; init; }

    public required string Platform { get; init; }

    public required string DeviceFamily { get; init; }

    public required string? DisplayName { get; init; }

    /// <summary>The requested role; <c>operator</c> if the frame has none, since clients sign that.</summary>
    public required string Role { get; init; }

    /// <summary>The scopes exactly as sent, in order, since they are signed in this form.</summary>
    public required IReadOnlyList<string> Scopes { get; init; }

    /// <summary><c>auth.token</c>; null if there is none.</summary>
    public required string? SharedToken { get; init; }

    /// <summary>
    /// The token that is signed: the first of <c>token</c>, <c>deviceToken</c>, <c>bootstrapToken</c> that is present, or empty.
    /// </summary>
    public required string SignedToken { get; init; }

    /// <summary>
    /// <c>auth.trustedBrokerProfileId</c>, the profile for which the device says it acts; null if only for itself. Only version 4 signs it.
    /// </summary>
    public required string? TrustedBrokerProfileId { get; init; }

    /// <summary>The device part; null if there is none.</summary>
    public required ConnectDevice? Device { get; init; }

    /// <summary>Whether the client can wait on its connection for the decision about its pairing request. Not signed.</summary>
    public bool CanWait { get; init; }

    public ClientDescription Describe() => ClientDescription.Sanitize(ClientId, DisplayName, Platform, ClientMode);
}

/// <summary>The <c>device</c> part of a <c>connect</c> request.</summary>
/// <param name="Id">The claimed id.</param>
/// <param name="PublicKey">The key, in one of several text forms.</param>
/// <param name="Signature">The signature, in base64url or base64.</param>
/// <param name="SignedAt">Unix time in milliseconds.</param>
/// <param name="Nonce">The challenge's nonce; null if there is none.</param>
internal sealed record ConnectDevice(string Id, string PublicKey, string Signature, long SignedAt, string? Nonce);
