using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// A device store that also remembers which names were used (<see cref="UseOnce"/>), for all gateways that share it: <see cref="DeviceSwap.Once"/> is marked by
/// the swap. Without it a handshake whose proofs could be sent again admits nobody.
/// </summary>
public interface IReplayStore : IDeviceStore
{
    /// <summary>
    /// Since when names are remembered, by the store's time; null if for as long as they have to be. A proof that may have been used before then must not be
    /// accepted.
    /// </summary>
    DateTimeOffset? RemembersSince { get; }

    /// <summary>
    /// The record of a device, and the store's time. If there is a document, also one that cannot be read, its device's name is marked as used for
    /// <see cref="UseOnce.Period"/>, by the store's clock. Of any number of calls with one name at once, one makes the mark. No mark goes before its time.
    /// </summary>
    /// <param name="id">The device.</param>
    /// <param name="once">The name.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RegistryUnavailableException">
    /// The store cannot be reached, or is too slow, and the name may or may not be marked. Or the device has too many marks
    /// (<see cref="RegistryUnavailableException.IsContended"/>), or all devices together, and it is not.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled; the name may or may not be marked.</exception>
    ValueTask<StoredDevice> GetAsync(DeviceId id, UseOnce once, CancellationToken cancellationToken);
}
