using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// The live connections of this process: admitted and not ended. Other gateways on the same registry have their own. To keep a device out,
/// revoke its grant or block it: a device whose connection is ended may connect again at once.
/// </summary>
public interface IDeviceConnections
{
    /// <summary>The close reason if none is given.</summary>
    const string DefaultReason = "connection ended";

    /// <summary>The number of connections.</summary>
    int Count { get; }

    /// <summary>The connections, oldest first.</summary>
    /// <param name="device">Only of this device; null for all.</param>
    /// <param name="after">Only with a higher <see cref="DeviceConnection.Id"/>; 0 for all.</param>
    /// <param name="limit">The maximum number; 0 gives none.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="limit"/> is negative.</exception>
    IReadOnlyList<DeviceConnection> List(DeviceId? device = null, long after = 0, int limit = int.MaxValue);

    /// <summary>Ends a connection with close code 1008. The backend gets nothing more from its client.</summary>
    /// <param name="id">Its <see cref="DeviceConnection.Id"/>.</param>
    /// <param name="reason">The close reason, at most 123 bytes of UTF-8 (RFC 6455 §5.5).</param>
    /// <returns>False if there is no such connection any more.</returns>
    /// <exception cref="ArgumentException">The reason is too long.</exception>
    bool End(long id, string reason = DefaultReason);

    /// <summary>
    /// Ends all connections of a device with close code 1008, except one that is just being admitted: to keep the device out, block it
    /// first.
    /// </summary>
    /// <param name="device">The device.</param>
    /// <param name="reason">The close reason, at most 123 bytes of UTF-8 (RFC 6455 §5.5).</param>
    /// <returns>The number of ended connections.</returns>
    /// <exception cref="ArgumentException">The reason is too long.</exception>
    int EndAll(DeviceId device, string reason = DefaultReason);
}
