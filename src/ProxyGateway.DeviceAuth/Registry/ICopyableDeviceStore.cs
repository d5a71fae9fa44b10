namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A store whose whole content can be read, and written as it is: for moving a registry, and for filling one in one go.</summary>
public interface ICopyableDeviceStore : IDeviceStore
{
    /// <summary>
    /// Every document that has not expired, those of removed devices and of mere requests included, in any order. Each that is there all
    /// the while comes at least once.
    /// </summary>
    /// <exception cref="RegistryUnavailableException">Something cannot be read; what came before is not all.</exception>
    IAsyncEnumerable<StoredDocument> ReadAllAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Writes documents as they are, in their order, whatever was there, and their indexes with them. Announces nothing.
    /// After a failure it may hold a part of them.
    /// </summary>
    /// <exception cref="RegistryUnavailableException">Something cannot be written.</exception>
    Task WriteAllAsync(IAsyncEnumerable<StoredDocument> documents, CancellationToken cancellationToken);
}
