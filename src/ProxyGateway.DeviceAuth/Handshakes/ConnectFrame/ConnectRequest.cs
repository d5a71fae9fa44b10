using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>What the gate uses of a <c>connect</c> request. Well-formed, but nothing in it is proved yet.</summary>
internal sealed record ConnectRequest
{
    /// <summary>The request's id, which the backend's answer repeats.</summary>
    public required string Id { get; init; }

    /// <summary>The protocol version the client asks for at most; 0 if it does not say.</summary>
    public required int MaxProtocol { get; init; }

    public required string ClientId { get; init; }

    public required string ClientMode { get; init; }

    public required string Platform { get; init; }

    public required string DeviceFamily { get; init; }

    public required string? DisplayName { get; init; }

    /// <summary>The role asked for; <c>operator</c> if the frame has none, for that is what is signed.</summary>
    public required string Role { get; init; }

    /// <summary>The scopes exactly as sent, in order: that is how they are signed.</summary>
    public required IReadOnlyList<string> Scopes { get; init; }

    /// <summary><c>auth.token</c>; null if there is none.</summary>
    public required string? SharedToken { get; init; }

    /// <summary>The token that is signed: the first of <c>token</c>, <c>deviceToken</c>, <c>bootstrapToken</c> that is there, or empty.</summary>
    public required string SignedToken { get; init; }

    /// <summary><c>auth.trustedBrokerProfileId</c>, for whom the device says it acts; null if for nobody but itself. It is signed in version 4 only.</summary>
    public required string? TrustedBrokerProfileId { get; init; }

    /// <summary>What the client says of its device; null if nothing.</summary>
    public required ConnectDevice? Device { get; init; }

    public ClientDescription Describe() => ClientDescription.Sanitize(ClientId, DisplayName, Platform, ClientMode);
}

/// <summary>The <c>device</c> part of a <c>connect</c> request.</summary>
/// <param name="Id">The id it says it has.</param>
/// <param name="PublicKey">The key, in one of several texts.</param>
/// <param name="Signature">The signature, in base64url or base64.</param>
/// <param name="SignedAt">Unix time in milliseconds.</param>
/// <param name="Nonce">The challenge's nonce; null if there is none.</param>
internal sealed record ConnectDevice(string Id, string PublicKey, string Signature, long SignedAt, string? Nonce);
