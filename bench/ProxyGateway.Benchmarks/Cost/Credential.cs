namespace ProxyGateway.Benchmarks.Cost;

/// <summary>What a request shows of its device.</summary>
internal enum Credential
{
    Ed25519,
    Es256,

    /// <summary>A session token, which it has got for a proof before.</summary>
    Token,

    /// <summary>A proof with a good nonce and another device's signature.</summary>
    Forged,
}
