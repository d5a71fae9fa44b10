namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// Keeps what the gateways of one registry share besides devices: few and small documents, in groups that are read whole. Nothing may be
/// cached.
/// </summary>
public interface ISharedDocumentStore
{
    /// <summary>The documents of a group, and the store's time.</summary>
    /// <param name="group">The group.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RegistryUnavailableException">The store cannot be reached, or is too slow.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    ValueTask<SharedDocuments> ListAsync(string group, CancellationToken cancellationToken);

    /// <summary>Replaces a document in one atomic step, if the one in the store still has the version that was read (or is still absent).</summary>
    /// <param name="previousVersion">The version of the document that was read; null if there was none.</param>
    /// <param name="next">The document that replaces it.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <returns>Whether it was written; false if another change came first.</returns>
    /// <exception cref="RegistryUnavailableException">
    /// The group has <see cref="SharedDocument.MaxInGroup"/> documents, and nothing was written; or it is unknown whether it was written.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled; it may or may not have been written.</exception>
    ValueTask<bool> SwapAsync(string? previousVersion, SharedDocument next, CancellationToken cancellationToken);
}
