using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// A request feature of an admitted device. A request has it from admission on, also after the connection has ended; a request without it
/// was not admitted.
/// </summary>
public interface IDeviceFeature
{
    /// <summary>The device's verified id and claim, which its grant covered at admission.</summary>
    DeviceClaim Claim { get; }

    /// <summary>The name that operators had given the device at admission; null if it had none.</summary>
    string? Label { get; }

    /// <summary>The connection's number in <see cref="IDeviceConnections"/>.</summary>
    long ConnectionId { get; }
}
