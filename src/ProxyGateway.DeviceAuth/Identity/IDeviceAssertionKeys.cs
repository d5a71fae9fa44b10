using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>The public keys by which backends verify assertions of devices.</summary>
public interface IDeviceAssertionKeys
{
    /// <summary>
    /// Those of all gateways of the registry, as a JWK Set (RFC 7517 §5): those that sign, those that will sign soon, and for an hour those that no longer do.
    /// </summary>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>JSON in UTF-8.</returns>
    /// <exception cref="RegistryUnavailableException">The registry has not been reached for too long.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    Task<ReadOnlyMemory<byte>> GetJwksAsync(CancellationToken cancellationToken);
}
