namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>
/// Keeps the last audit entries of each <see cref="AuditSource"/>, within bounds of number and bytes, those of every gateway on the same
/// registry in one order. When the registry is short of space, strangers' entries make room first, and operators' never. Every method
/// throws <see cref="RegistryUnavailableException"/> when the store cannot be reached or is slower than its time-out.
/// </summary>
public interface IAuditStore
{
    /// <summary>
    /// Appends entries in their order, all or none. The same batch again changes nothing, so it may be repeated when no answer came.
    /// </summary>
    /// <param name="batch">The entries; the store gives their ids.</param>
    /// <param name="cancellationToken">Cancels the operation; the batch may or may not have been appended.</param>
    /// <exception cref="RegistryUnavailableException">The store cannot be reached, or is too slow.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    ValueTask<AuditReceipt> AppendAsync(AuditBatch batch, CancellationToken cancellationToken);

    /// <summary>
    /// Matching entries, newest first. A page may have fewer than <paramref name="limit"/>, or none, and not be the last.
    /// </summary>
    /// <param name="filter">Selects entries.</param>
    /// <param name="before">The <see cref="AuditPage.Next"/> of the page before; null for the first.</param>
    /// <param name="limit">The maximum number, 1 or more.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RegistryUnavailableException">The store cannot be reached, or is too slow.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The limit is less than 1.</exception>
    ValueTask<AuditPage> ListAsync(AuditFilter filter, long? before, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// The entries after one, oldest first. A reader that continues from the last id of each answer misses no entry that is still kept, and
    /// gets none twice.
    /// </summary>
    /// <param name="id">The id of the last known entry; 0 for the oldest that is kept.</param>
    /// <param name="limit">The maximum number, 1 or more.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RegistryUnavailableException">The store cannot be reached, or is too slow.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    ValueTask<AuditRange> ReadAfterAsync(long id, int limit, CancellationToken cancellationToken);
}
