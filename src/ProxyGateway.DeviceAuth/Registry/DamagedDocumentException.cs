using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// What the store has under one device's id cannot be read as its record. Nothing may be concluded about this device; others are as they were.
/// To remove the device helps.
/// </summary>
/// <param name="device">The device.</param>
/// <param name="reason">What is wrong with it, as the second half of a sentence.</param>
/// <param name="cause">What was noticed; null if there is nothing to add.</param>
public sealed class DamagedDocumentException(DeviceId device, string reason, Exception? cause = null)
    : UnreadableDocumentException(device, $"The document of device {device} is damaged: {reason}.", cause);
