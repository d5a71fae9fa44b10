using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// Keeps one document per device: get, swap, page through, announce. All other logic is in <see cref="Transitions"/> and
/// <see cref="DeviceRegistry"/>, once for all stores. Every method throws <see cref="RegistryUnavailableException"/> when the store cannot
/// be reached or is slower than its time-out, and <see cref="OperationCanceledException"/> when cancelled. Nothing may be cached.
/// </summary>
public interface IDeviceStore : IAsyncDisposable
{
    /// <summary>
    /// The record of a device, and the store's time. A document that cannot be read is no exception here, but
    /// <see cref="StoredDevice.Damage"/>.
    /// </summary>
    /// <exception cref="RegistryUnavailableException">The store cannot be reached, or is too slow.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken);

    /// <summary>
    /// Replaces a device's record if the one in the store still has <see cref="DeviceSwap.Previous"/>'s version (or is still absent),
    /// in one atomic step that also announces the change. The indexes of open requests and paired devices follow.
    /// </summary>
    /// <returns>Whether it was written, or what was in the way.</returns>
    /// <exception cref="RegistryUnavailableException">
    /// It is unknown whether it was written, or it may still be lost (<see cref="RegistryUnavailableException.ChangeWasMade"/>).
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled; it may or may not have been written.</exception>
    ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken);

    /// <summary>The device whose record may hold this request; null if none does. A hint: the record is the truth.</summary>
    /// <exception cref="RegistryUnavailableException">The store cannot be reached, or is too slow.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    ValueTask<DeviceId?> FindRequestAsync(RequestId id, CancellationToken cancellationToken);

    /// <summary>
    /// Records with something approved and those of blocked devices, in a stable order that visits each exactly once while others write. A
    /// damaged document is left out, and its device's id is logged; one of a newer format is in <see cref="PagedResult{T}.Newer"/>.
    /// </summary>
    /// <param name="cursor">
    /// The <see cref="PagedResult{T}.Next"/> of the previous page; null for the first. Any other text gives a page that starts anywhere.
    /// </param>
    /// <param name="limit">The maximum number, 1 or more; documents of a newer format count.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RegistryUnavailableException">The store cannot be reached, or is too slow.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The limit is less than 1.</exception>
    ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// Open requests, newest first. Those in a damaged document are left out, and its device's id is logged; those in a document of a newer
    /// format are left out, and it is in <see cref="PagedResult{T}.Newer"/>.
    /// </summary>
    /// <param name="cursor">
    /// The <see cref="PagedResult{T}.Next"/> of the previous page; null for the first. Any other text gives a page that starts anywhere.
    /// </param>
    /// <param name="limit">The maximum number, 1 or more; documents of a newer format count.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RegistryUnavailableException">The store cannot be reached, or is too slow.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The limit is less than 1.</exception>
    ValueTask<PagedResult<PairingRequest>> ListOpenRequestsAsync(string? cursor, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// The versions of many records, null where there is none. All are read at once, so a caller with many asks in parts. A device whose
    /// record cannot be read is missing from the answer.
    /// </summary>
    /// <exception cref="RegistryUnavailableException">The store cannot be reached, or is too slow.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    ValueTask<IReadOnlyDictionary<DeviceId, string?>> GetVersionsAsync(IReadOnlyCollection<DeviceId> ids, CancellationToken cancellationToken);

    /// <summary>
    /// Listens for changes by other gateways, until cancelled. It never ends before that, and does not throw when the store is unavailable:
    /// then it is silent, and sends <see cref="Announcement.Resumed"/> afterwards.
    /// </summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    IAsyncEnumerable<Announcement> ListenAsync(CancellationToken cancellationToken);

    /// <summary>Asks the store for a sign of life.</summary>
    /// <exception cref="RegistryUnavailableException">The store cannot be reached, or is too slow.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    ValueTask PingAsync(CancellationToken cancellationToken);
}
