using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>One device's document cannot be read. Nobody may be admitted as that device; others are not affected.</summary>
public abstract class UnreadableDocumentException : RegistryUnavailableException
{
    private protected UnreadableDocumentException(DeviceId device, string message, Exception? cause)
        : base(message, cause!) => Device = device;

    /// <summary>The device.</summary>
    public DeviceId Device { get; }
}
