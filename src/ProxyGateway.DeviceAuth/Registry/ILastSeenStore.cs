using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// Keeps <see cref="DeviceRecord.LastSeenAt"/> beside the document: noting it needs no reading, changes neither version nor expiry, and
/// cannot conflict with a decision.
/// </summary>
public interface ILastSeenStore
{
    /// <summary>
    /// Notes when devices were seen. A device without approval, or one that was seen later already, is not changed. Some may have been
    /// noted when this throws.
    /// </summary>
    /// <exception cref="RegistryUnavailableException">The store cannot be reached, or is too slow.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    ValueTask NoteSeenAsync(IReadOnlyList<SeenDevice> devices, CancellationToken cancellationToken);
}
