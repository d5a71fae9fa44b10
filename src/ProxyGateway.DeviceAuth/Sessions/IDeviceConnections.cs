using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// The live connections of this process. Each was admitted and is not over; other gateways on the same registry have their own. To keep a device
/// out, take its grant away: a device whose connection is ended may come again at once.
/// </summary>
public interface IDeviceConnections
{
    /// <summary>What a client is told whose connection is ended without a reason.</summary>
    const string DefaultReason = "connection ended";

    /// <summary>How many there are.</summary>
    int Count { get; }

    /// <summary>Those connections, oldest first.</summary>
    /// <param name="device">Those of this device; null for all.</param>
    /// <param name="after">Those with a higher <see cref="DeviceConnection.Id"/>; 0 for all.</param>
    /// <param name="limit">How many at most.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="limit"/> is negative.</exception>
    IReadOnlyList<DeviceConnection> List(DeviceId? device = null, long after = 0, int limit = int.MaxValue);

    /// <summary>Ends a connection with close code 1008. Nothing that its client sends from now on reaches the backend.</summary>
    /// <param name="id">Its <see cref="DeviceConnection.Id"/>.</param>
    /// <param name="reason">What the client is told, in at most 123 bytes of UTF-8 (RFC 6455 §5.5).</param>
    /// <returns>False if there is no such connection, or none any more.</returns>
    /// <exception cref="ArgumentException">The reason is too long.</exception>
    bool End(long id, string reason = DefaultReason);

    /// <summary>Ends all connections of a device with close code 1008, but none that is just being admitted: block the device first to keep it out.</summary>
    /// <param name="device">The device.</param>
    /// <param name="reason">What the client is told, in at most 123 bytes of UTF-8 (RFC 6455 §5.5).</param>
    /// <returns>How many it ended.</returns>
    /// <exception cref="ArgumentException">The reason is too long.</exception>
    int EndAll(DeviceId device, string reason = DefaultReason);
}
