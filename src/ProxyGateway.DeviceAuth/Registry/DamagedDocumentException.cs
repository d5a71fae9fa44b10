using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// The document of one device cannot be read. Nothing may be concluded about this device; others are not affected. Removing the device
/// replaces the document.
/// </summary>
/// <param name="device">The device.</param>
/// <param name="reason">The damage, as the second half of a sentence.</param>
/// <param name="cause">The exception that showed it; null if there was none.</param>
public sealed class DamagedDocumentException(DeviceId device, string reason, Exception? cause = null)
    : UnreadableDocumentException(device, $"The document of device {device} is damaged: {reason}.", cause);
