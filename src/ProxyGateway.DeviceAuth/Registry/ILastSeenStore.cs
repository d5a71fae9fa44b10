using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// Keeps <see cref="DeviceRecord.LastSeenAt"/>, beside the document and not in it: noting it needs no reading, changes neither version nor
/// expiry, and cannot conflict with anybody's decision.
/// </summary>
public interface ILastSeenStore
{
    /// <summary>
    /// Notes when devices were seen. Nothing happens to a device that has nothing approved, or that was seen later already. Some may have
    /// been noted when this throws.
    /// </summary>
    /// <exception cref="RegistryUnavailableException">The store cannot be reached, or is too slow.</exception>
    ValueTask NoteSeenAsync(IReadOnlyList<SeenDevice> devices, CancellationToken cancellationToken);
}
