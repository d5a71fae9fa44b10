namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>A part of a handshake that is measured by itself.</summary>
internal enum HandshakeStep
{
    /// <summary>The proof is read and verified, with the wait for a turn.</summary>
    Proof,

    /// <summary>The claim is decided: the application's filters, the wait for a turn, the policy and the registry.</summary>
    Policy,

    /// <summary>The registry's part of it.</summary>
    Registry,

    /// <summary>The backend's part: until its challenge, and from the forwarded request to its answer. Only where the handshake has one.</summary>
    Backend,
}
