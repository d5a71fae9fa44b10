namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>
/// Keeps the last audit entries of each <see cref="AuditSource"/>, so many and so many bytes of them, those of every gateway on the same
/// registry in one order. Where the registry is short of room, strangers' entries make room first, and operators' never. Every method
/// throws <see cref="RegistryUnavailableException"/> when the store cannot be reached or is slower than its time-out.
/// </summary>
public interface IAuditStore
{
    /// <summary>Appends entries, in their order and all or none. The same batch again changes nothing, so it may be repeated when no answer came.</summary>
    /// <param name="batch">The entries; their ids are given here.</param>
    /// <param name="cancellationToken">Gives up; the batch may or may not have been appended.</param>
    ValueTask<AuditReceipt> AppendAsync(AuditBatch batch, CancellationToken cancellationToken);

    /// <summary>Entries that match, newest first. A page may hold fewer than asked for, or none, and not be the last.</summary>
    /// <param name="filter">Which entries.</param>
    /// <param name="before">The <see cref="AuditPage.Next"/> of the page before; null for the first.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    ValueTask<AuditPage> ListAsync(AuditFilter filter, long? before, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// The entries after one, oldest first. Whoever reads on from the last id of each answer misses nothing that was still kept, and sees
    /// nothing twice.
    /// </summary>
    /// <param name="id">The id of the last entry that is known; 0 for the oldest that is kept.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    ValueTask<AuditRange> ReadAfterAsync(long id, int limit, CancellationToken cancellationToken);
}
