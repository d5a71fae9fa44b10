namespace ProxyGateway.DeviceAuth.Client;

/// <summary>The parts of a proof that a device may leave out.</summary>
public sealed record ProofClaims
{
    /// <summary>The role that is asked for: 1 to 128 of A-Z a-z 0-9 . _ : -; null: the route's.</summary>
    public string? Role { get; init; }

    /// <summary>The scopes that are asked for, of the same characters; null: the route's.</summary>
    public IReadOnlyCollection<string>? Scopes { get; init; }

    /// <summary>What the device says about itself; null: nothing.</summary>
    public ClientClaim? Client { get; init; }

    /// <summary>
    /// The access token that goes along in <c>Authorization: DPoP</c>, for routes with <c>"DeviceAuth.ProofHeader": "DPoP"</c>: its hash becomes the claim
    /// <c>ath</c> (RFC 9449 §4.2). Null: none.
    /// </summary>
    public string? Token { get; init; }

    /// <summary>The secret of an invitation, which pairs the device without an operator; null: none.</summary>
    public string? Invitation { get; init; }

    /// <summary>The members without the token and the secret, which must not come into a log.</summary>
    public override string ToString() => $"{nameof(ProofClaims)} {{ {Role}, {string.Join(' ', Scopes ?? [])} }}";
}
