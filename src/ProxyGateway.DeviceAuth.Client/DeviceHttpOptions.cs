namespace ProxyGateway.DeviceAuth.Client;

/// <summary>What a <see cref="DeviceHttpHandler"/> may be told beside the device's key.</summary>
public sealed record DeviceHttpOptions
{
    /// <summary>The header of a proof on every route that does not say otherwise.</summary>
    public const string DeviceProof = "Device-Proof";

    /// <summary>The header of a proof on routes with <c>"DeviceAuth.ProofHeader": "DPoP"</c>.</summary>
    public const string DPoP = "DPoP";

    /// <summary>The header of the proof.</summary>
    public string Header { get; init; } = DeviceProof;

    /// <summary>Further parts of each proof; null: none. The token of <c>Authorization: DPoP</c> is added by itself.</summary>
    public ProofClaims? Claims { get; init; }

    /// <summary>Where session tokens take the place of proofs; null: nowhere. Worth it for a key that signs slowly.</summary>
    public DeviceSessionOptions? Session { get; init; }

    /// <summary>Where nonces are kept; null: in the handler alone.</summary>
    public NonceCache? Nonces { get; init; }

    /// <summary>The clock; null for the system's.</summary>
    public TimeProvider? Time { get; init; }
}
