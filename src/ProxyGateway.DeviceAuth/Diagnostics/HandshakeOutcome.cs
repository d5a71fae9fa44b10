namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>How a handshake ended. Metrics and spans have the names: <see cref="HandshakeOutcomeNames"/>.</summary>
internal enum HandshakeOutcome
{
    /// <summary>The device is admitted, and the backend has accepted it where the handshake asks it.</summary>
    Admitted,

    /// <summary>An operator has to approve: a request is open.</summary>
    PairingRequired,

    /// <summary>An operator has rejected the request.</summary>
    Rejected,

    /// <summary>No grant covers the claim, and without the shared token nothing may be requested.</summary>
    Unauthorized,

    /// <summary>The device is blocked.</summary>
    Blocked,

    /// <summary>Too many requests are open.</summary>
    TooManyRequests,

    /// <summary>Too many sessions of the device, or too many decisions before this one, or a reload meanwhile.</summary>
    Busy,

    /// <summary>The client has shown no proof.</summary>
    ProofRequired,

    /// <summary>The proof's nonce is old or unknown, as a device's is that was silent for a while.</summary>
    NonceRequired,

    /// <summary>The proof is wrong.</summary>
    ProofInvalid,

    /// <summary>The proof was used before.</summary>
    ProofUsed,

    /// <summary>The session token is wrong or old, or the proof does not fit it.</summary>
    SessionTokenInvalid,

    /// <summary>The session token is from before the device's record changed.</summary>
    SessionTokenOutdated,

    /// <summary>The route needs scopes that the device does not ask for.</summary>
    InsufficientScope,

    /// <summary>The client has no device, and no rule covers it.</summary>
    IdentityRequired,

    /// <summary>A filter of the application refuses, or the application does.</summary>
    FilterRefused,

    /// <summary>The client violates the handshake's protocol.</summary>
    HandshakeInvalid,

    /// <summary>The client, or its registry answer, took too long.</summary>
    TimedOut,

    /// <summary>Evicted for another handshake.</summary>
    GaveWay,

    /// <summary>The client has left.</summary>
    ClientLeft,

    /// <summary>The backend cannot be reached, has left, or has not answered as it must.</summary>
    BackendFailed,

    /// <summary>The backend has refused an admitted device.</summary>
    BackendRefused,

    /// <summary>A removal or narrowing came between the admission and the opening.</summary>
    Revoked,

    /// <summary>The registry is unavailable, or what it announces has not been heard for too long.</summary>
    RegistryUnavailable,

    /// <summary>The gateway is stopping.</summary>
    GatewayRestarting,

    /// <summary>The origin of the page is not allowed.</summary>
    OriginRefused,

    /// <summary>The client's address makes too many handshakes in a second.</summary>
    OverRate,

    /// <summary>The client's address has too many handshakes under way.</summary>
    OverAddress,

    /// <summary>The destination has too many handshakes under way.</summary>
    OverDestination,

    /// <summary>There are too many handshakes under way in all.</summary>
    OverAll,

    /// <summary>The request is none that the route takes: no upgrade, another version of WebSocket, or a path that two servers could read differently.</summary>
    RequestRefused,

    /// <summary>A browser's question whether it may send the request (CORS).</summary>
    Preflight,

    /// <summary>A handshake of the application's has answered without asking for a decision.</summary>
    Answered,

    /// <summary>The gate itself has failed.</summary>
    Failed,
}
