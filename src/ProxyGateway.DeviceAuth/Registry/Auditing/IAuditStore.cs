using ProxyGateway.DeviceAuth.Pairing;

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
    ValueTask<AuditStretch> ReadAfterAsync(long id, int limit, CancellationToken cancellationToken);
}

/// <summary>Entries that are written together.</summary>
/// <param name="Writer">Who writes; unique to one run of one gateway.</param>
/// <param name="Number">Counts the writer's batches.</param>
/// <param name="Entries">The entries.</param>
public sealed record AuditBatch(string Writer, long Number, IReadOnlyList<AuditEntry> Entries);

/// <summary>Which entries are wanted; null is any.</summary>
/// <param name="Kind">One of <see cref="AuditKinds"/>.</param>
/// <param name="Device">Entries about this device.</param>
/// <param name="Operator">Entries that name this operator.</param>
public sealed record AuditFilter(string? Kind = null, DeviceId? Device = null, string? Operator = null)
{
    /// <summary>Whether the entry is wanted.</summary>
    public bool Matches(AuditEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return (Kind is null || entry.Kind == Kind)
            && (Device is null || entry.DeviceId == Device)
            && (Operator is null || entry.Operator == Operator);
    }
}

/// <summary>Entries that follow one that is known.</summary>
/// <param name="Items">The entries, oldest first.</param>
/// <param name="IsComplete">False if some that followed may no longer be kept.</param>
public sealed record AuditStretch(IReadOnlyList<AuditEntry> Items, bool IsComplete);

/// <summary>A part of the audit.</summary>
/// <param name="Items">The entries.</param>
/// <param name="Next">Where the next page begins; null if this was the last.</param>
public sealed record AuditPage(IReadOnlyList<AuditEntry> Items, long? Next);
