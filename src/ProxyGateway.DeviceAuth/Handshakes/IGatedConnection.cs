namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// One connection behind the gate. It has both raw streams before the proxy copies a byte, and gives the proxy the streams to copy between.
/// </summary>
internal interface IGatedConnection
{
    /// <summary>Whether its device is admitted already: then it may have any answer of the backend.</summary>
    bool IsAdmitted => false;

    /// <summary>Takes over the upgraded client.</summary>
    /// <param name="client">The client's raw stream. The proxy does not close it: the server does at the end of the request.</param>
    /// <returns>The client's stream for the proxy. It is neither read nor written before <see cref="ShakeHandsAsync"/> has
    /// returned.</returns>
    Stream Accept(Stream client);

    /// <summary>
    /// Does the handshake, once the client is upgraded. Must not throw: the proxy awaits it outside of any <c>try</c>, so an exception
    /// would reach the server.
    /// </summary>
    /// <param name="backend">The backend's stream.</param>
    /// <param name="cancellationToken">Cancelled when the client's connection is gone, or the proxy's activity time-out has passed, which
    /// begins with the backend's switch.</param>
    /// <returns>The backend's stream for the proxy: the real one if, and only if, the device is admitted; else one that has
    /// ended.</returns>
    Task<Stream> ShakeHandsAsync(Stream backend, CancellationToken cancellationToken);
}
