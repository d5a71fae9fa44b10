using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A device that was seen.</summary>
/// <param name="Device">The device.</param>
/// <param name="At">When; kept to the millisecond.</param>
public readonly record struct SeenDevice(DeviceId Device, DateTimeOffset At);
