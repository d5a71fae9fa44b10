namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A client with a key asks whether the gateway knows it.</summary>
public sealed record ProofBody
{
    /// <summary>32 random bytes from the client, as base64url.</summary>
    public required string Nonce { get; init; }

    /// <summary>The client's proof that it knows the key, as base64url.</summary>
    public required string Proof { get; init; }
}
