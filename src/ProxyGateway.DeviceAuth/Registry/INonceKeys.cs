namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The keys of nonces, which all gateways of one registry share. Thread-safe.</summary>
internal interface INonceKeys
{
    /// <summary>The key for new nonces.</summary>
    /// <exception cref="RegistryUnavailableException">There is none yet, and the registry cannot be reached.</exception>
    NonceKey Current { get; }

    /// <summary>Reads the registry if that is due, so that <see cref="Current"/> is there and is what other gateways have. It never fails.</summary>
    /// <param name="cancellationToken">The caller waits no more.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    ValueTask RenewAsync(CancellationToken cancellationToken) => default;

    /// <summary>The key of a nonce; null if it is unknown or retired. Known keys are found without waiting.</summary>
    /// <param name="id">The number in the nonce. A stranger can put any there, so a look-up of unknown ones is rate-limited.</param>
    /// <param name="cancellationToken">Cancels the look-up.</param>
    /// <exception cref="RegistryUnavailableException">The key is unknown here, and the registry cannot be reached.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    ValueTask<NonceKey?> FindAsync(byte id, CancellationToken cancellationToken);
}
