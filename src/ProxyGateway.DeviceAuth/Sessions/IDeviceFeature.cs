using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// A feature of a request whose device was admitted. It is there from admission on, also once the connection is over; without it nobody was
/// admitted.
/// </summary>
public interface IDeviceFeature
{
    /// <summary>What the device has proved and asked for, and what its grant covered when it was admitted.</summary>
    DeviceClaim Claim { get; }

    /// <summary>The connection's number, as <see cref="IDeviceConnections"/> has it.</summary>
    long ConnectionId { get; }
}
