using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// Keeps one document per device: get, swap, page through, notify. Everything else is in <see cref="Transitions"/> and
/// <see cref="DeviceRegistry"/>, once for all stores. Every method throws <see cref="RegistryUnavailableException"/> when the store
/// cannot be reached or is slower than its time-out, and <see cref="OperationCanceledException"/> when cancelled. Nothing may be cached.
/// </summary>
public interface IDeviceStore : IAsyncDisposable
{
    /// <summary>The record of a device, and the store's time.</summary>
    ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken);

    /// <summary>
    /// Replaces a device's record if the one in the store still has <see cref="DeviceSwap.Previous"/>'s version (or is still absent),
    /// in one atomic step that also announces the change. The indexes of open requests and paired devices follow.
    /// </summary>
    ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken);

    /// <summary>The device whose record may hold this request; null if none does. A hint: the record is the truth.</summary>
    ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken);

    /// <summary>
    /// Records with something approved and those of blocked devices, in a stable order that visits each exactly once while others write. A document that is damaged is
    /// left out, and logged with its device's id; one of a newer format is in <see cref="PagedResult{T}.Newer"/>.
    /// </summary>
    /// <param name="cursor">Where the last page ended; null for the first.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken);

    /// <summary>Open requests, newest first; those in a damaged document are left out, and its device's id is logged; those in one of a newer format are left out, and it is in <see cref="PagedResult{T}.Newer"/>.</summary>
    /// <param name="cursor">Where the last page ended; null for the first.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// The versions of many records, null where there is none; asked for all at once, so a caller with many asks in parts.
    /// A device whose record cannot be read is missing from the answer.
    /// </summary>
    ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken);

    /// <summary>
    /// Listens for changes that other gateways make, until cancelled. Never ends before that, and does not throw when the store is away:
    /// silence says so, and <see cref="Announcement.Resumed"/> that it is over.
    /// </summary>
    IAsyncEnumerable<Announcement> ListenAsync(CancellationToken cancellationToken);

    /// <summary>Asks the store for a sign of life.</summary>
    ValueTask PingAsync(CancellationToken cancellationToken);
}
