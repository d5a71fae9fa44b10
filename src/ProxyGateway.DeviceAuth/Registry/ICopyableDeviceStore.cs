namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A store whose whole content can be read and written unchanged: to move a registry, or to fill one.</summary>
public interface ICopyableDeviceStore : IDeviceStore
{
    /// <summary>
    /// Every document that has not expired, also of removed devices and of devices with only a request, in any order. Each document that
    /// exists all the time comes at least once.
    /// </summary>
    /// <exception cref="RegistryUnavailableException">A document cannot be read; the earlier ones are not all.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    IAsyncEnumerable<StoredDocument> ReadAllAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Writes documents unchanged, in their order, over existing ones, and their indexes. Announces nothing. After a failure the store may
    /// hold a part of them.
    /// </summary>
    /// <exception cref="RegistryUnavailableException">A document cannot be written.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; some may have been written.</exception>
    Task WriteAllAsync(IAsyncEnumerable<StoredDocument> documents, CancellationToken cancellationToken);
}
