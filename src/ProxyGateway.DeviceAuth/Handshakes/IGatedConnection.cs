namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>One connection behind the gate. It has both raw streams before the proxy copies a byte, and says what the proxy may copy between.</summary>
internal interface IGatedConnection
{
    /// <summary>Takes over the upgraded client.</summary>
    /// <param name="client">The client's raw stream. The proxy does not close it: the server does when the request is over.</param>
    /// <returns>What the proxy gets as the client. It is neither read nor written before <see cref="ShakeHandsAsync"/> has returned.</returns>
    Stream Accept(Stream client);

    /// <summary>
    /// Takes the connection through its handshake, once the client is upgraded. Must not throw: the proxy awaits it outside of any <c>try</c>, and what
    /// is thrown here would reach the server.
    /// </summary>
    /// <param name="backend">The backend's stream.</param>
    /// <param name="cancellationToken">Cancelled when the client's connection is gone, and when the proxy's activity time-out is over, which begins with the backend's switch.</param>
    /// <returns>What the proxy gets as the backend: its stream if, and only if, the device is admitted; else one that has ended.</returns>
    Task<Stream> ShakeHandsAsync(Stream backend, CancellationToken cancellationToken);
}
